"""What a recommended platform costs a month, and what would make it cheaper where that is too much."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eksml.advisor import ProfileChoice
    from eksml.costs import Range

# Answers that may make a platform cheaper, tried one at a time.
_CHEAPER: tuple[tuple[str, Any], ...] = (("team", "startup"), ("training_gpus", 0), ("notebooks", False))


def with_costs(choice: "ProfileChoice") -> "ProfileChoice":
    """The platform with what it costs as the last reason.

    Raises CheckFailed where that is more than the answers allow whatever happens, with what would make it cheaper.
    """
    from eksml.catalog import priced_regions
    from eksml.errors import CheckFailed

    asked = choice.answers
    if asked.region not in priced_regions():
        return _because(choice, f"What it costs is not known: the catalog has no prices of {asked.region}.")
    monthly = _monthly(choice)
    costs = f"about ${monthly.expected:,.0f} a month, at least ${monthly.at_least:,.0f}{_beside(choice)}"
    if (budget := _budget(choice)) and asked.monthly_usd is None and monthly.expected > budget:
        return _because(choice, f"It costs {costs}: more than the profile's budget of ${budget:,}.")
    if asked.monthly_usd is None or monthly.expected <= asked.monthly_usd:
        return _because(choice, f"It costs {costs}.")
    if monthly.at_least > asked.monthly_usd:
        least = f"monthly_usd: {asked.monthly_usd} given, must be at least {ceil(monthly.at_least)}"
        others = list(_cheaper(choice, monthly)) or ["no other answer makes it much cheaper"]
        raise CheckFailed("\n".join([f"{least}: {choice.profile} costs {costs}", *others]))
    return _because(
        choice, f"It costs {costs}: more than monthly_usd, unless it is used less than `eksml cost` assumes."
    )


def _because(choice: "ProfileChoice", reason: str) -> "ProfileChoice":
    return replace(choice, reasons=(*choice.reasons, reason))


def _beside(choice: "ProfileChoice") -> str:
    """What it does not cost at AWS."""
    return ", without what Weights & Biases asks for each person" if "wandb" in choice.mlops.values() else ""


def _budget(choice: "ProfileChoice") -> int | None:
    """What a month may cost by the stack file."""
    from eksml.profiles import overlaid, profile_settings

    budget = overlaid(profile_settings(choice.profile.value), choice.settings).get("budget")
    return budget["monthlyUsd"] if budget else None


def _cheaper(choice: "ProfileChoice", monthly: "Range") -> Iterator[str]:
    """What other answers would cost, where that is less."""
    from eksml.advisor import recommend_profile
    from eksml.cli.questions import in_yaml
    from eksml.errors import SpecError

    for name, value in _CHEAPER:
        # Some answers cannot be beside the others.
        with suppress(SpecError):
            other = _monthly(recommend_profile({**choice.answers.settings(), name: value}))
            if other.at_least < monthly.at_least:
                costs = f"about ${other.expected:,.0f} a month, at least ${other.at_least:,.0f}"
                yield f"with {name}={in_yaml(value)}: {costs}"


def _monthly(choice: "ProfileChoice") -> "Range":
    """What `eksml cost` says of the stack file: the program that every stack has is run with its settings."""
    from eksml.cli.arguments import stack_without_file
    from eksml.costs import estimate
    from eksml.plan.recorder import record

    return estimate(record(stack_without_file(choice.profile.value, choice.settings, choice.answers.region))).monthly
