"""For how many hours of a month nodes are there, where a schedule takes them away outside of working hours."""

from __future__ import annotations

from eksml.clock import HOURS_OF_A_WEEK, hours_per_week
from eksml.costs.amounts import HOURS_PER_MONTH
from eksml.plan import Plan, Resource

_SCHEDULE = "eksml:nodes:Schedule"
_AWS_SCHEDULE = "aws:scheduler/schedule:Schedule"
# Nodes without GPUs go an hour after the others, which are drained from there.
_HOURS_TO_DRAIN = 1
_DAYS_OF_A_WEEK = 7


def hours_of_elastic_nodes(plan: Plan) -> float:
    """The hours of a month in which Karpenter may have nodes."""
    return min((_hours(schedule) for schedule in plan.of_type(_SCHEDULE)), default=HOURS_PER_MONTH)


def days_of_elastic_nodes(plan: Plan) -> float:
    """The days of a month on which Karpenter may have nodes."""
    days = min((len(schedule.inputs["spec"]["days"]) for schedule in plan.of_type(_SCHEDULE)), default=_DAYS_OF_A_WEEK)
    return days / _DAYS_OF_A_WEEK * HOURS_PER_MONTH / 24


def hours_of_use(hours_per_day: float, plan: Plan) -> float:
    """The hours of a month for which something that runs so long a day has a node of Karpenter's."""
    return min(hours_per_day * days_of_elastic_nodes(plan), hours_of_elastic_nodes(plan))


def hours_of_group(group: Resource, plan: Plan, *, has_gpus: bool) -> float:
    """The hours of a month in which a managed group has its nodes; all of them where no schedule sets its size."""
    schedules = {each.parent for each in plan.of_type(_AWS_SCHEDULE) if group.urn in each.dependencies}
    own = [plan.by_urn[urn] for urn in schedules if urn in plan.by_urn and plan.by_urn[urn].type == _SCHEDULE]
    return min((_hours(each, 0 if has_gpus else _HOURS_TO_DRAIN) for each in own), default=HOURS_PER_MONTH)


def _hours(schedule: Resource, later: int = 0) -> float:
    """The hours of a month between the start and the end of a schedule's days."""
    spec = schedule.inputs["spec"]
    days = len(spec["days"])
    weekly = min(hours_per_week(spec["days"], spec["start"], spec["end"]) + later * days, 24 * days)
    return weekly / HOURS_OF_A_WEEK * HOURS_PER_MONTH
