"""A whole platform from a few answers: a stack file that holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from textwrap import wrap
from typing import Any

import yaml

from eksml.advisor.mlops import MlopsStack
from eksml.advisor.platform_tools import PlatformTools, changes_of, on_cpus_only, platform_tools, takes_gpus
from eksml.advisor.ranking import Change, Ranking, as_json
from eksml.advisor.requirements import ProfileAnswers, TeamProfile, requirements_of
from eksml.advisor.served import Served, served_by
from eksml.advisor.stack_settings import (
    HUGGING_FACE,
    SERVER,
    adapted,
    difference,
    for_region,
    needs_token,
    told,
    trained_on,
)
from eksml.catalog import decisions, instance_types, priced_regions, regions, regions_beside, tools
from eksml.config_keys import PLATFORM, SECRETS
from eksml.errors import Problem, SpecError, listed, nearest

_HEAD = "# yaml-language-server: $schema=stack.schema.json\n#\n"
_WIDTH = 78


@dataclass(frozen=True)
class ProfileChoice:
    """A platform that suits the answers, and why it is as it is."""

    answers: ProfileAnswers
    profile: TeamProfile
    settings: Mapping[str, Any]
    """What stands under `eksml:platform`."""
    reasons: tuple[str, ...]
    steps: tuple[str, ...]
    """What is to be done before `pulumi up`."""
    framework: Ranking | None
    """The recommendation; None: the framework was given."""
    training: Ranking
    inference: Ranking | None
    """The recommendation; None: no model was named."""
    mlops: MlopsStack

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """Which answers would bring another profile or other tools, and which ones."""
        return changes_of(self.answers)

    def stack_file(self) -> str:
        """The text of the stack file, with the reasons as comments."""
        texts = [*self.reasons, *(f"Before `pulumi up`: {step}" for step in self.steps)]
        comments = [f"# {'- ' if first else '  '}{line}" for text in texts for first, line in _lines(text)]
        content = {"config": {"aws:region": self.answers.region, PLATFORM: dict(self.settings)}}
        return "\n".join([_HEAD + comments[0], *comments[1:], yaml.safe_dump(content, sort_keys=False)])

    def as_json(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "question": "profile",
            "requirements": self.answers.settings(),
            "profile": self.profile.value,
            "region": self.answers.region,
            "settings": dict(self.settings),
            "reasons": list(self.reasons),
            "steps": list(self.steps),
            "changes": [as_json(change) for change in self.changes],
            "framework": self.framework.as_json() if self.framework else None,
            "training": self.training.as_json(),
            "inference": self.inference.as_json() if self.inference else None,
            "mlops": self.mlops.as_json(),
        }


def recommend_profile(answers: Mapping[str, Any] | ProfileAnswers, *, name: str = "eksml") -> ProfileChoice:
    """A platform from a few answers, whose settings are those of a valid stack file.

    Arguments:
        answers: `goal`, and what else is known: `workload`, `budget`, `team_size`, `model`, …
        name: the platform's name, as `project-stack`.

    Raises SpecError with every problem of the answers at once.
    """
    # They know Pulumi's SDKs, which nothing else here loads.
    from eksml.profiles import platform_spec, profile_settings

    asked = requirements_of(ProfileAnswers, answers)
    chosen = platform_tools(asked)
    profile = profile_settings(chosen.profile)
    base = for_region(profile, asked.region)
    if problems := list(_problems(asked, profile, chosen.framework)):
        raise SpecError(problems)
    served = served_by(asked, chosen.profile, _regions_with_types(profile)) if asked.model else None
    platform = adapted(base, asked, chosen, served)
    settings = {"profile": chosen.profile.value, **difference(profile, platform)}
    spec = platform_spec(settings, region=asked.region, name=name)
    reasons = (
        f"{chosen.profile}: {chosen.because}.",
        *_of_tools(chosen),
        *told(profile, platform, asked, chosen.framework),
        *_of_server(asked, served, platform),
        *_of_budget(asked, platform),
    )
    steps = (f"pulumi config set --secret eksml:{key} (the {SECRETS[f'eksml:{key}']})" for key in spec.secrets_needed)
    return ProfileChoice(
        answers=asked,
        profile=chosen.profile,
        settings=settings,
        reasons=reasons,
        steps=(*steps, *_steps_of_model(asked, platform)),
        framework=chosen.frameworks,
        training=chosen.training,
        inference=served.ranking if served else None,
        mlops=chosen.mlops,
    )


def _problems(asked: ProfileAnswers, profile: Mapping[str, Any], framework: str) -> Iterator[Problem]:
    """What there is no room for, and what is not to be had in the region."""
    base = for_region(profile, asked.region)
    if asked.region not in regions():
        near = nearest(asked.region, regions_beside(asked.region)) or f", which has {listed(sorted(regions()))}"
        yield Problem(("region",), f"'{asked.region}' given, is not in the catalog{near}")
    elif asked.model and asked.region not in priced_regions():
        known = listed(sorted(priced_regions()))
        yield Problem(("region",), f"{asked.region} has no prices in the catalog, with a model it must be {known}")
    without = _pools_without_types(profile, asked.region)
    if without and not (on_cpus_only(framework, asked) and asked.model is None):
        able = listed(_regions_with_types(profile))
        text = f"EC2 offers nothing in {asked.region} in the place of the GPUs of {listed(without)}"
        yield Problem(("region",), f"{text}: {able} will do, and workload=tabular needs no GPUs")
    elif asked.training_gpus is not None and on_cpus_only(framework, asked):
        text = f"given, but has no effect with {framework}, which calculates on CPUs"
        if takes_gpus(framework):
            text = f"0 given, but {framework} is trained on CPUs where there are no GPUs: leave it out"
        yield Problem(("training_gpus",), text)
    elif asked.training_gpus:
        pool = trained_on(base)
        gpus = (instance_types()[name].gpu for name in base["pools"][pool]["instanceTypes"])
        least = min(gpu.count for gpu in gpus if gpu)
        if asked.training_gpus < least:
            text = f"{asked.training_gpus} given, must be at least {least}: the smallest node of {pool} has as many"
            yield Problem(("training_gpus",), text)


def _regions_with_types(profile: Mapping[str, Any]) -> list[str]:
    """The regions that have GPUs for every pool of a profile."""
    return [region for region in sorted(priced_regions()) if not _pools_without_types(profile, region)]


def _pools_without_types(profile: Mapping[str, Any], region: str) -> list[str]:
    return [name for name, pool in for_region(profile, region)["pools"].items() if not pool["instanceTypes"]]


def _of_tools(chosen: PlatformTools) -> Iterator[str]:
    framework, ranked, training, mlops = chosen.framework, chosen.frameworks, chosen.training, chosen.mlops
    tied = [tools()[name].title for name in ranked.ties if name != framework] if ranked else []
    because = _because(ranked, framework) if ranked else "you asked for it"
    yield f"{tools()[framework].title}: {because}{_or(tied)}."
    if chosen.trains:
        yield f"{tools()[training[0][0]].title} for training: {_because_it_trains(chosen)}."
    yield f"{tools()[mlops['tracking']].title} for experiments: {mlops.reasons['tracking'].pros[0]}."
    if mlops["registry"] != mlops["tracking"]:
        yield f"{tools()[mlops['registry']].title} for models: {mlops.reasons['registry'].pros[0]}."


def _because(ranking: Ranking, name: str) -> str:
    # A library may be first that stands on top of what is trained with.
    of_name = ranking.reasons.get(name, ranking.reasons[ranking[0][0]])
    return next(iter(of_name.pros), "it has the highest score")


def _because_it_trains(chosen: PlatformTools) -> str:
    """Why this way to train; that the team's own cannot, where that is so."""
    favourite = decisions().teams[chosen.profile].training
    if reasons := chosen.training.excluded.get(favourite):
        return f"{chosen.profile} teams take {tools()[favourite].title}, but {reasons[0]}"
    return _because(chosen.training, chosen.training[0][0])


def _or(tied: list[str]) -> str:
    return f" (a tie with {', '.join(tied)})" if tied else ""


def _of_server(asked: ProfileAnswers, served: Served | None, platform: Mapping[str, Any]) -> Iterator[str]:
    if served:
        usd = served.instance.usd_per_hour
        on = f"{served.gpus} GPU{'s' if served.gpus > 1 else ''} of {served.instance.name}"
        price = f"{usd:.2f} USD/h" if usd else "at a price that is not known"
        requests = f"{asked.requests} request{'s' if asked.requests > 1 else ''}"
        holds = f"the cheapest that holds {requests} of {asked.context_length} tokens"
        yield f"{asked.model} by {tools()[served.engine].title} on {on}, {price}: {holds}{_if_barely(served)}."
        scaling = platform["servers"][SERVER].get("autoscaling", {})
        if (least := scaling.get("minReplicas", 0)) > 1:
            yield f"{least} such servers at least, {scaling['maxReplicas']} at most, each of which holds them all."
    if served and (by_vllm := served.requests_by_vllm):
        vllm, setting = tools()["vllm"].title, f"servers.{SERVER}.kind: vllm"
        yield f"{vllm} would hold {by_vllm} such requests there: `{setting}` in the stack file takes it."


def _if_barely(served: Served) -> str:
    """That it may turn out not to fit, why, how many requests surely do, and where all of them do."""
    fitted, fewer, surely = served.instance.fitted, served.sure_requests, served.surely
    if fitted.is_certain:
        return ""
    low, _, high = fitted.overhead_gib
    why = (
        f"beside weights and cache it takes {low:.1f} to {high:.1f} GiB of the GPU, and {fitted.spare_gib:.1f} are left"
    )
    there = f"{fewer} request{'s' if fewer > 1 else ''} surely fit{'' if fewer > 1 else 's'} there" if fewer else ""
    price = f", {surely.usd_per_hour:.2f} USD/h" if surely and surely.usd_per_hour else ""
    elsewhere = f"all surely on {surely.name}{price}" if surely else ""
    ways = ", ".join(filter(None, (there, elsewhere)))
    return f", but barely: {why}" + (f"; {ways}" if ways else "")


def _of_budget(asked: ProfileAnswers, platform: Mapping[str, Any]) -> Iterator[str]:
    budget = platform.get("budget") or {}
    if budget.get("onExceed") == "fail":
        yield f"A budget of {budget['monthlyUsd']:,} USD a month, above which a preview fails: monthly_usd changes it."
    elif budget and asked.monthly_usd is None:
        yield f"A budget of {budget['monthlyUsd']:,} USD a month, above which a preview warns: monthly_usd changes it."


def _steps_of_model(asked: ProfileAnswers, platform: Mapping[str, Any]) -> Iterator[str]:
    if needs_token(asked.model):
        namespace = platform["servers"][SERVER]["namespace"]
        of_token = f"kubectl create secret generic {HUGGING_FACE['secret']} --namespace {namespace}"
        yield f"accept the licence of {asked.model} on the hub; {of_token} --from-literal {HUGGING_FACE['key']}=…"


def _lines(text: str) -> Iterator[tuple[bool, str]]:
    """The lines of a comment, and whether each is the first."""
    lines = wrap(text, _WIDTH - 4, break_long_words=False, break_on_hyphens=False)
    return ((number == 0, line) for number, line in enumerate(lines))
