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
from eksml.costs.amounts import HOURS_PER_MONTH
from eksml.costs.basis import Basis
from eksml.costs.offers import Offer
from eksml.costs.working_hours import hours_of_elastic_nodes
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
_HOURS_OF_ALL_DAYS = HOURS_PER_MONTH / 24


@dataclass
class UsedNode:
    """A node that pods of the Plan ask for."""

    offer: Offer
    left: dict[str, int]
    hours: float = 0
    """In a month: as long as the pod that is there longest."""
    is_always_needed: bool = False
    """Whether one of its pods is never gone, except outside of working hours."""
    teams: dict[str, float] = field(default_factory=dict)
    """How much of it the pods of each team take: GPUs, or pods where it has none."""
    purposes: set[str] = field(default_factory=set)


def is_job(workload: Workload) -> bool:
    """Whether a workload ends by itself."""
    return workload.kind in _JOBS


def used_nodes(offers: Sequence[Offer], basis: Basis) -> list[UsedNode]:
    """The nodes of elastic pools that the pods of a Plan ask for, of those that are offered."""
    elastic = [offer for offer in offers if offer.is_elastic]
    daemon_sets = [each for each in queued(basis.plan) if each.kind == "DaemonSet"]
    room = {offer: _room(offer.node, daemon_sets) for offer in elastic}
    used: list[UsedNode] = []
    # The largest first, as they find room least easily.
    for workload in sorted(_waiting(basis.plan), key=_size, reverse=True):
        able = [offer for offer in elastic if may_run(workload.pod, offer.node) and _fits(workload, room[offer])]
        if not able:
            continue
        cheapest = min(able, key=lambda offer: (offer.usd.expected, offer.node.pool.urn, offer.node.instance_type))
        replicas, wanted = _presence(workload, basis)
        hours = min(wanted, hours_of_elastic_nodes(basis.plan))
        for _ in range(replicas):
            place = next((each for each in used if _takes(each, workload)), None)
            if place is None:
                place = UsedNode(cheapest, dict(room[cheapest]))
                used.append(place)
            _put(workload, place, hours, basis)
            place.is_always_needed |= wanted == HOURS_PER_MONTH
    return used


def _waiting(plan: Plan) -> Iterator[Workload]:
    """The workloads for which no managed pool has a place."""
    fixed = [node for node in nodes_of(plan) if node.pool.type == NODE_GROUP and node.most]
    for workload in queued(plan):
        is_fixed = any(may_run(workload.pod, node) and _fits(workload, node.allocatable) for node in fixed)
        if workload.kind != "DaemonSet" and workload.is_complete and not is_fixed:
            yield workload


def _size(workload: Workload) -> tuple[int, int, int, str]:
    asked = workload.requests
    return asked.get(names.GPU_RESOURCE, 0), asked.get("memory", 0), asked.get("cpu", 0), workload.name


def _room(node: Node, daemon_sets: list[Workload]) -> dict[str, int]:
    """What the kubelet and the DaemonSets leave of a node."""
    beside = [each.requests for each in daemon_sets if may_run(each.pod, node)]
    return {key: amount - sum(each.get(key, 0) for each in beside) for key, amount in node.allocatable.items()}


def _fits(workload: Workload, room: Mapping[str, int]) -> bool:
    return all(amount <= room[key] for key, amount in workload.requests.items() if key in room)


def _takes(place: UsedNode, workload: Workload) -> bool:
    return may_run(workload.pod, place.offer.node) and _fits(workload, place.left)


def _put(workload: Workload, place: UsedNode, hours: float, basis: Basis) -> None:
    for key, amount in workload.requests.items():
        if key in place.left:
            place.left[key] -= amount
    place.hours = max(place.hours, hours)
    namespace = (workload.resource.inputs.get("metadata") or {}).get("namespace")
    team = basis.team_of(namespace)
    place.teams[team] = place.teams.get(team, 0) + (workload.requests.get(names.GPU_RESOURCE, 0) or 1)
    place.purposes.add("training" if is_job(workload) else basis.purpose_of(workload.resource, "serving"))


def _presence(workload: Workload, basis: Basis) -> tuple[int, float]:
    """How many pods of a workload there are, and for how many hours of a month."""
    if is_job(workload):
        return workload.count, basis.assumptions.job_hours_per_day * _HOURS_OF_ALL_DAYS
    fewest = _fewest(workload, basis.plan)
    if fewest == 0:
        return 1, basis.assumptions.awake_hours_per_day * _HOURS_OF_ALL_DAYS
    return fewest or workload.count, HOURS_PER_MONTH


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
