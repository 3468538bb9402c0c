"""Jobs and pods in the queues of Kueue: where it lets them go, and whether it ever does.

Source: https://kueue.sigs.k8s.io/docs/concepts/cluster_queue/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import groupby
from math import ceil, inf
from typing import Any

import yaml

from eksml import names
from eksml.checks.finding import Found
from eksml.checks.nodes import Node, nodes_of
from eksml.checks.quantities import amount_of, in_words
from eksml.checks.scheduling import may_run
from eksml.checks.workloads import RELEASE, Workload, workloads_of
from eksml.errors import listed
from eksml.image_registry import value_at
from eksml.plan import Plan

_KIND = f"kubernetes:{names.KUEUE_API_VERSION}"
FLAVOR = f"{_KIND}:ResourceFlavor"
# With it Kueue lets a job go with fewer pods at once.
_LEAST_PARALLELISM = "kueue.x-k8s.io/job-min-parallelism"

# What counts replicas, the field with the most of them, and what that is otherwise.
_SCALERS = (
    ("kubernetes:keda.sh/v1alpha1:ScaledObject", "maxReplicaCount", 100),
    ("kubernetes:autoscaling/v2:HorizontalPodAutoscaler", "maxReplicas", 1),
)

# The most of each resource that a queue may have of each flavor of a group of resources.
_Group = dict[str, dict[str, float]]


def job_fits_quota(plan: Plan) -> Iterator[Found]:
    """Each job is of a kind that Kueue queues, and asks for no more than its queue may have, on nodes for it.

    A Rollout does so with the pods of both its versions.
    """
    waiting = [(each, queue) for each in queued(plan) if (queue := _queue_of(each, plan))]
    for (_, queue), pods in groupby(waiting, key=lambda each: (each[0].resource.urn, each[1])):
        job = [workload for workload, _ in pods]
        for text in _obstacles(job, queue, plan):
            yield Found(job[0].resource, text)
    for rollout, queue in waiting:
        if rollout.kind == "Rollout":
            yield from _no_room_for_both(rollout, queue, plan)
    for resource in plan.resources if _frameworks(plan) else ():
        kind, metadata = str(resource.inputs.get("kind")), resource.inputs.get("metadata") or {}
        queue = (metadata.get("labels") or {}).get(names.QUEUE_LABEL)
        if queue and _job_kind(kind) not in _queued_kinds(plan):
            known = listed(sorted(_frameworks(plan)))
            yield Found(resource, f"is in queue {queue}, but Kueue queues no {kind}: its frameworks are {known}")


@lru_cache(maxsize=1)
def queued(plan: Plan) -> tuple[Workload, ...]:
    """The workloads as Kueue lets them go: with the tolerations that the flavors of their queue bring."""
    return tuple(_let_go(each, plan) for each in workloads_of(plan))


@lru_cache(maxsize=1)
def cluster_queues(plan: Plan) -> dict[str, Mapping[str, Any]]:
    """The specs of the queues that have quotas, by name."""
    return {each.inputs["metadata"]["name"]: each.inputs["spec"] for each in plan.of_type(f"{_KIND}:ClusterQueue")}


@lru_cache(maxsize=1)
def flavors(plan: Plan) -> dict[str, Mapping[str, Any]]:
    """The specs of the flavors, by name: each stands for some nodes."""
    return {each.inputs["metadata"]["name"]: each.inputs["spec"] for each in plan.of_type(FLAVOR)}


def nodes_of_flavor(name: str, plan: Plan) -> list[Node]:
    """The nodes with the labels of a flavor; none where it has none, for then it may be any."""
    labels = flavors(plan).get(name, {}).get("nodeLabels") or {}
    return [node for node in nodes_of(plan) if labels and labels.items() <= node.labels.items()]


@lru_cache(maxsize=1)
def _local_queues(plan: Plan) -> dict[tuple[str | None, str], str]:
    """By namespace and name of each queue of a namespace, the name of the one that has its quotas."""
    return {
        (each.inputs["metadata"].get("namespace"), each.inputs["metadata"]["name"]): each.inputs["spec"]["clusterQueue"]
        for each in plan.of_type(f"{_KIND}:LocalQueue")
    }


def _queued_kinds(plan: Plan) -> set[str]:
    """What Kueue queues, in small letters; Jobs where its configuration is not in the Plan."""
    return {framework.rpartition("/")[2] for framework in _frameworks(plan)} or {"job"}


@lru_cache(maxsize=1)
def _frameworks(plan: Plan) -> frozenset[str]:
    """What Kueue queues, as its own configuration calls it; empty where that is not in the Plan."""
    texts = [
        value_at(release.inputs.get("values") or {}, "managerConfig.controllerManagerConfigYaml")
        for release in plan.of_type(RELEASE)
    ]
    frameworks = [value_at(yaml.safe_load(text), "integrations.frameworks") or () for text in texts if text]
    return frozenset(name for each in frameworks for name in each)


def _job_kind(kind: str) -> str:
    """A kind as Kueue's frameworks are called: a CronJob is queued by each of its Jobs."""
    return kind.lower().removeprefix("cron")


def _is_whole(workload: Workload, plan: Plan) -> bool:
    """Whether Kueue queues a workload as a whole; else it may queue its single pods."""
    return _job_kind(workload.kind) in _queued_kinds(plan) - {"pod", "deployment"}


def _queue_of(workload: Workload, plan: Plan) -> tuple[str | None, str] | None:
    """The namespace and name of the queue that a workload waits in, if it does."""
    if not _is_whole(workload, plan) and "pod" not in _queued_kinds(plan):
        return None
    metadata = workload.resource.inputs.get("metadata") or {}
    namespace, labels = metadata.get("namespace"), metadata.get("labels") or {}
    there = [name for each, name in _local_queues(plan) if each == namespace]
    name = labels.get(names.QUEUE_LABEL, names.LOCAL_QUEUE if names.LOCAL_QUEUE in there else None)
    return (namespace, name) if there and name else None


def _let_go(workload: Workload, plan: Plan) -> Workload:
    queue = _queue_of(workload, plan)
    if queue is None:
        return workload
    groups = _groups(_local_queues(plan).get(queue), plan)
    brought = [
        toleration
        for group in groups or ()
        for flavor in group
        for toleration in flavors(plan).get(flavor, {}).get("tolerations") or ()
    ]
    if groups is None:
        # Its quotas are not in the Plan: what they bring is not known.
        brought = [names.gpu_toleration()]
    pod = {**workload.pod, "tolerations": [*(workload.pod.get("tolerations") or ()), *brought]}
    return replace(workload, pod=pod, count=workload.count if _is_whole(workload, plan) else 1)


def _groups(queue: str | None, plan: Plan) -> list[_Group] | None:
    """What a queue may have, by groups of resources: a pod gets those of one group from one flavor."""
    spec = cluster_queues(plan).get(queue or "")
    if spec is None:
        return None
    return [
        {
            flavor["name"]: {each["name"]: _most(each, bool(spec.get("cohortName"))) for each in flavor["resources"]}
            for flavor in group["flavors"]
        }
        for group in spec.get("resourceGroups") or ()
    ]


def _most(quota: Mapping[str, Any], may_borrow: bool) -> float:
    name, limit = quota["name"], quota.get("borrowingLimit")
    borrowed = (inf if limit is None else amount_of(name, limit)) if may_borrow else 0
    return amount_of(name, quota["nominalQuota"]) + borrowed


def _obstacles(job: list[Workload], queue: tuple[str | None, str], plan: Plan) -> Iterator[str]:
    """Why Kueue will never let a job go, if it will not."""
    namespace, name = queue
    if queue not in _local_queues(plan):
        there = listed(each for of, each in _local_queues(plan) if of == namespace) or "none"
        yield f"{job[0].name}: waits in queue {name}, which namespace {namespace} does not have; it has {there}"
        return
    name = _local_queues(plan)[queue]
    groups = _groups(name, plan)
    if groups is None:
        return
    for part in job:
        yield from (f"{part.name}: {text}" for text in _misfits(part, name, groups, plan))
    together = sum(map(_asked, job), Counter[str]())
    for group in groups if len(job) > 1 and _is_whole(job[0], plan) else ():
        for resource in sorted({each for of_flavor in group.values() for each in of_flavor}):
            most = sum(of_flavor.get(resource, 0) for of_flavor in group.values())
            if together[resource] > most:
                asked, limit = in_words(resource, together[resource]), in_words(resource, int(most))
                yield f"{job[0].name}: its pods ask for {asked} together, more than queue {name} may ever have: {limit}"


def _no_room_for_both(rollout: Workload, queue: tuple[str | None, str], plan: Plan) -> Iterator[Found]:
    """A Rollout whose next version never starts: its pods wait one by one, but the old ones stay until it has all."""
    groups = _groups(_local_queues(plan).get(queue), plan)
    pods = _pods_at_once(rollout, plan)
    asked = rollout.requests.get(names.GPU_RESOURCE, 0) * pods
    for group in groups or ():
        most = sum(
            of_flavor.get(names.GPU_RESOURCE, 0)
            for flavor, of_flavor in group.items()
            if _can_use(rollout.pod, flavor, plan)
        )
        # Where not even one pod goes, that is told already.
        if asked > most >= rollout.requests.get(names.GPU_RESOURCE, 0) > 0:
            limit = f"more than the {most:g} that queue {_local_queues(plan)[queue]} may ever have for it"
            text = f"{pods} pods of both versions ask for {asked} {names.GPU_RESOURCE}, {limit}"
            yield Found(rollout.resource, f"{rollout.name}: {text}: a new version would wait for ever")


def _pods_at_once(rollout: Workload, plan: Plan) -> int:
    """The most pods of a Rollout during a change."""
    spec = rollout.resource.inputs["spec"]
    replicas = max([spec.get("replicas", 1), *_most_scaled(rollout, plan)])
    strategy = spec.get("strategy") or {}
    if "blueGreen" in strategy:
        return 2 * replicas
    surge = (strategy.get("canary") or {}).get("maxSurge", "25%")
    return replicas + (surge if isinstance(surge, int) else ceil(replicas * int(str(surge).rstrip("%")) / 100))


def _most_scaled(workload: Workload, plan: Plan) -> Iterator[int]:
    """The most replicas that scalers make of a workload."""
    namespace = (workload.resource.inputs.get("metadata") or {}).get("namespace")
    for kind, field, default in _SCALERS:
        for scaler in plan.of_type(kind):
            spec, metadata = scaler.inputs.get("spec") or {}, scaler.inputs.get("metadata") or {}
            target = spec.get("scaleTargetRef") or {}
            if (metadata.get("namespace"), target.get("kind"), target.get("name")) == (
                namespace,
                workload.kind,
                workload.name,
            ):
                yield int(spec.get(field, default))


def _misfits(part: Workload, queue: str, groups: list[_Group], plan: Plan) -> Iterator[str]:
    asked = _asked(part)
    covered = {resource for group in groups for most in group.values() for resource in most}
    for resource in sorted(asked):
        # Kueue is often told not to count the others.
        if resource not in covered and (resource in ("cpu", "memory") or "/" in resource):
            yield f"asks for {resource}, of which queue {queue} has no quota"
    for group in groups:
        usable = {name: most for name, most in group.items() if _can_use(part.pod, name, plan)}
        if not usable and any(may_run(part.pod, node) for node in nodes_of(plan)):
            yield f"runs on no nodes that queue {queue} has a quota of: {', '.join(group)}"
        elif usable and not any(all(asked[each] <= most[each] for each in most) for most in usable.values()):
            amounts = ", ".join(in_words(each, asked[each]) for each in sorted(asked))
            pods = f"{_count(part)} pods ask for" if _count(part) > 1 else "asks for"
            yield f"{pods} {amounts}, more than queue {queue} may ever have of {_offer(usable, asked)}"


def _offer(usable: Mapping[str, Mapping[str, float]], asked: Mapping[str, int]) -> str:
    """What there is at most of what is asked for, by flavors."""
    return listed(
        f"{flavor} ({', '.join(in_words(each, int(most[each])) for each in sorted(most) if asked[each] > most[each])})"
        for flavor, most in usable.items()
    )


def _asked(part: Workload) -> Counter[str]:
    return Counter({resource: amount * _count(part) for resource, amount in part.requests.items()})


def _count(part: Workload) -> int:
    least = ((part.resource.inputs.get("metadata") or {}).get("annotations") or {}).get(_LEAST_PARALLELISM, part.count)
    return min(part.count, int(least)) if str(least).isdecimal() else part.count


def _can_use(pod: Mapping[str, Any], flavor: str, plan: Plan) -> bool:
    nodes = nodes_of_flavor(flavor, plan)
    return not nodes or any(may_run(pod, node) for node in nodes)
