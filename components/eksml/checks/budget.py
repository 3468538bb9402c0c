"""Whether a platform costs more than it may."""

from __future__ import annotations

from collections.abc import Iterator

from eksml.check_list import Severity
from eksml.checks.finding import Found
from eksml.errors import InputError
from eksml.plan import Plan

_DEAREST = 3


def within_budget(plan: Plan) -> Iterator[Found]:
    """What a platform probably costs in a month is no more than its budget."""
    # The bill asks the checks which pods run where.
    from eksml.costs import estimate

    for platform in plan.of_type("eksml:platform:Platform"):
        budget = (platform.inputs.get("spec") or {}).get("budget")
        if not budget:
            continue
        try:
            bill = estimate(plan)
        except InputError as error:
            yield Found(platform, f"cannot be held against its budget: {error}", Severity.WARNING)
            return
        if bill.monthly.expected > budget["monthlyUsd"]:
            dearest = list(bill.by_resource().items())[:_DEAREST]
            parts = ", ".join(f"{plan.by_urn[urn].name} {_usd(cost.expected)}" for urn, cost in dearest)
            least = _usd(bill.monthly.at_least)
            yield Found(
                platform,
                f"probably costs {_usd(bill.monthly.expected)} a month{bill.without}, at least {least}, "
                f"and its budget is {_usd(budget['monthlyUsd'])}: the dearest are {parts}",
                Severity.ERROR if budget.get("onExceed") == "fail" else Severity.WARNING,
            )


def _usd(amount: float) -> str:
    return f"${amount:,.0f}"
