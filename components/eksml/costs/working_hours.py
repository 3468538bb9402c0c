"""For how many hours of a month nodes are there, where a schedule takes them away outside of working hours."""

from __future__ import annotations

from eksml.costs.amounts import HOURS_PER_MONTH
from eksml.plan import Plan, Resource

_SCHEDULE = "eksml:nodes:Schedule"
_AWS_SCHEDULE = "aws:scheduler/schedule:Schedule"
_HOURS_PER_WEEK = 7 * 24
# Nodes without GPUs go an hour after the others, which are drained from there.
_HOURS_TO_DRAIN = 1


def hours_of_elastic_nodes(plan: Plan) -> float:
    """The hours of a month in which Karpenter may have nodes."""
    return min((_hours(schedule) for schedule in plan.of_type(_SCHEDULE)), default=HOURS_PER_MONTH)


def hours_of_group(group: Resource, plan: Plan, *, has_gpus: bool) -> float:
    """The hours of a month in which a managed group has its nodes; all of them where no schedule sets its size."""
    schedules = {each.parent for each in plan.of_type(_AWS_SCHEDULE) if group.urn in each.dependencies}
    own = [plan.by_urn[urn] for urn in schedules if urn in plan.by_urn and plan.by_urn[urn].type == _SCHEDULE]
    return min((_hours(each, 0 if has_gpus else _HOURS_TO_DRAIN) for each in own), default=HOURS_PER_MONTH)


def _hours(schedule: Resource, later: int = 0) -> float:
    """The hours of a month between the start and the end of a schedule's days."""
    spec = schedule.inputs["spec"]
    daily = min(_hour(spec["end"]) - _hour(spec["start"]) + later, 24)
    return daily * len(spec["days"]) / _HOURS_PER_WEEK * HOURS_PER_MONTH


def _hour(time: str) -> float:
    hours, minutes = map(int, time.split(":"))
    return hours + minutes / 60
