"""How many nodes that come and go a Plan's own pods ask for, by packing them as a scheduler would.

A pod that fits a managed pool takes none of them: those nodes are there anyway. The others come on the cheapest type of
the pools that they can use. An autoscaled server counts with its fewest replicas, one that sleeps with one while it is
awake.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eksml import names
from eksml.checks.nodes import NODE_GROUP, Node, nodes_of
from eksml.checks.queues import queued
from eksml.checks.scheduling import may_run
from eksml.checks.workloads import Workload
from eksml.costs.basis import Basis
from eksml.costs.offers import Offer
from eksml.costs.working_hours import hours_of_use
from eksml.plan import Plan

_JOBS = (
    "CronJob",
    "JAXJob",
    "Job",
    "JobSet",
    "MPIJob",
    "PyTorchJob",
    "RayJob",
    "TFJob",
    "TrainJob",
    "XGBoostJob",
)
_SCALERS = (
    ("kubernetes:keda.sh/v1alpha1:ScaledObject", "minReplicaCount", 0),
    ("kubernetes:autoscaling/v2:HorizontalPodAutoscaler", "minReplicas", 1),
)
_ALL_DAY = 24


@dataclass
class UsedNode:
    """A node that pods of the Plan ask for."""

    offer: Offer
    left: dict[str, int]
    hours: float = 0
    """In a month: as long as the pod that is there longest."""
    is_always_needed: bool = False
    """Whether one of its pods is never gone, except outside of working hours."""
    others: list[Offer] = field(default_factory=list)
    """What of its pool its pods that are never gone may run on as well, itself included."""
    teams: dict[str, float] = field(default_factory=dict)
    """How much of it the pods of each team take: GPUs, or pods where it has none."""
    purposes: dict[str, float] = field(default_factory=dict)
    """And the pods of each purpose."""

    @property
    def least_usd(self) -> float:
        """For an hour, on the cheapest type that its pods which are never gone may run on."""
        return min(offer.usd.at_least for offer in self.others)


def is_job(workload: Workload) -> bool:
    """Whether a workload ends by itself."""
    return workload.kind in _JOBS


def used_nodes(offers: Sequence[Offer], basis: Basis) -> list[UsedNode]:
    """The nodes of elastic pools that the pods of a Plan ask for, of those that are offered."""
    elastic = [offer for offer in offers if offer.is_elastic]
    daemon_sets = [each for each in queued(basis.plan) if each.kind == "DaemonSet"]
    room = {offer: room_of(offer.node, daemon_sets) for offer in elastic}
    used: list[UsedNode] = []
    # What never goes comes first, as the others come later; then the largest, as they find room least easily.
    waiting = [(*_presence(workload, basis), workload) for workload in _waiting(basis.plan)]
    waiting.sort(key=lambda entry: (entry[1] == _ALL_DAY, size_of(entry[2])), reverse=True)
    for replicas, wanted, workload in waiting:
        able = [offer for offer in elastic if may_run(workload.pod, offer.node) and fits(workload, room[offer])]
        able.sort(key=lambda offer: (offer.usd.expected, offer.node.pool.urn, offer.node.instance_type))
        hours = hours_of_use(wanted, basis.plan)
        for _ in range(replicas):
            place = next((each for each in used if _takes(each, workload)), None)
            if place is None:
                new = next((offer for offer in able if _is_within_limits(offer, used)), None)
                if new is None:
                    # The pod waits.
                    break
                place = UsedNode(new, dict(room[new]), others=_of_pool(new, able))
                used.append(place)
            _put(workload, place, hours, basis)
            if wanted == _ALL_DAY:
                place.is_always_needed = True
                place.others = [offer for offer in place.others if offer in able]
    return used


def _of_pool(chosen: Offer, able: Sequence[Offer]) -> list[Offer]:
    """Those of the pool of a chosen one."""
    return [offer for offer in able if offer.node.pool.urn == chosen.node.pool.urn]


def _waiting(plan: Plan) -> Iterator[Workload]:
    """The workloads for which no managed pool has a place."""
    fixed = [node for node in nodes_of(plan) if node.pool.type == NODE_GROUP and node.most]
    for workload in queued(plan):
        is_fixed = any(may_run(workload.pod, node) and fits(workload, node.allocatable) for node in fixed)
        if workload.kind != "DaemonSet" and workload.is_complete and not is_fixed:
            yield workload


def size_of(workload: Workload) -> tuple[int, int, int, str]:
    """By what pods are placed, the largest first, as those find room least easily."""
    asked = workload.requests
    return asked.get(names.GPU_RESOURCE, 0), asked.get("memory", 0), asked.get("cpu", 0), workload.name


def room_of(node: Node, daemon_sets: list[Workload]) -> dict[str, int]:
    """What the kubelet and the DaemonSets leave of a node."""
    beside = [each.requests for each in daemon_sets if may_run(each.pod, node)]
    return {key: amount - sum(each.get(key, 0) for each in beside) for key, amount in node.allocatable.items()}


def fits(workload: Workload, room: Mapping[str, int]) -> bool:
    """Whether a pod of a workload finds what it asks for in what is left of a node."""
    return all(amount <= room[key] for key, amount in workload.requests.items() if key in room)


def _is_within_limits(offer: Offer, used: Sequence[UsedNode]) -> bool:
    """Whether the limits of a pool leave room for one more node beside those that are used."""
    there = [each.offer.node.capacity for each in used if each.offer.node.pool.urn == offer.node.pool.urn]
    return all(
        sum(capacity[resource] for capacity in (*there, offer.node.capacity)) <= limit
        for resource, limit in offer.limits.items()
    )


def _takes(place: UsedNode, workload: Workload) -> bool:
    return may_run(workload.pod, place.offer.node) and fits(workload, place.left)


def _put(workload: Workload, place: UsedNode, hours: float, basis: Basis) -> None:
    for key, amount in workload.requests.items():
        if key in place.left:
            place.left[key] -= amount
    place.hours = max(place.hours, hours)
    namespace = (workload.resource.inputs.get("metadata") or {}).get("namespace")
    team = basis.team_of(namespace)
    purpose = "training" if is_job(workload) else basis.purpose_of(workload.resource, "serving")
    taken = workload.requests.get(names.GPU_RESOURCE, 0) or 1
    place.teams[team] = place.teams.get(team, 0) + taken
    place.purposes[purpose] = place.purposes.get(purpose, 0) + taken


def _presence(workload: Workload, basis: Basis) -> tuple[int, float]:
    """How many pods of a workload there are, and for how many hours a day."""
    if is_job(workload):
        return workload.count, basis.assumptions.job_hours_per_day
    fewest = _fewest(workload, basis.plan)
    if fewest == 0:
        return 1, basis.assumptions.awake_hours_per_day
    return fewest or workload.count, _ALL_DAY


def _fewest(workload: Workload, plan: Plan) -> int | None:
    """The fewest replicas that a scaler leaves of a workload; None where nothing scales it."""
    if workload.kind == "InferenceService":
        return _spec(workload.resource.inputs).get("predictor", {}).get("minReplicas")
    namespace = (workload.resource.inputs.get("metadata") or {}).get("namespace")
    for kind, key, usual in _SCALERS:
        for scaler in plan.of_type(kind):
            spec, target = _spec(scaler.inputs), _spec(scaler.inputs).get("scaleTargetRef") or {}
            own = (scaler.inputs.get("metadata") or {}).get("namespace"), target.get("kind"), target.get("name")
            if own == (namespace, workload.kind, workload.name):
                return int(spec.get(key, usual))
    return None


def _spec(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return inputs.get("spec") or {}
