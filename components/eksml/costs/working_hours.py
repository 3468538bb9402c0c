"""For how much of a week the nodes of a pool are there, where a schedule sends them away."""

from eksml.clock import HOURS_OF_A_WEEK, hours_per_week
from eksml.costs.basis import Basis
from eksml.plan import Resource

_NODE_POOL = "kubernetes:karpenter.sh/v1:NodePool"


def share_of_week(pool: Resource, basis: Basis) -> float:
    """The part of a week in which a pool may have nodes: all of it, or what a schedule says."""
    for schedule in basis.plan.of_type("eksml:nodes:Schedule"):
        spec = schedule.inputs["spec"]
        if pool.type == _NODE_POOL or _changes_size(pool, basis):
            return hours_per_week(spec["days"], spec["start"], spec["end"]) / HOURS_OF_A_WEEK
    return 1


def _changes_size(group: Resource, basis: Basis) -> bool:
    sizes = basis.plan.of_type("aws:scheduler/schedule:Schedule")
    return any(group.urn in each.dependencies for each in sizes)
