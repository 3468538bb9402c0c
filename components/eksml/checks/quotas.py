"""What is promised to teams, and what the pools hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from math import inf

from eksml import names
from eksml.checks.finding import Found
from eksml.checks.nodes import NODE_GROUP, Node, has_all_nodes, nodes_of
from eksml.checks.quantities import amount_of, in_words
from eksml.checks.queues import FLAVOR, cluster_queues, nodes_of_flavor
from eksml.checks.workloads import workloads_of
from eksml.errors import listed
from eksml.plan import Plan, Resource

_RESOURCES = (names.GPU_RESOURCE, "cpu", "memory")

# Shares of nodes are rounded up.
_ROUNDING = 1.01


def quotas_fit_pools(plan: Plan) -> Iterator[Found]:
    """What is always some team's adds up to at most what the pools hold, of GPUs, CPU and memory.

    Without Kueue it is what the ResourceQuotas of all namespaces allow, and nobody lends.
    """
    if cluster_queues(plan):
        yield from _of_queues(plan)
    elif has_all_nodes(plan):
        yield from _of_namespaces(plan)


def _of_queues(plan: Plan) -> Iterator[Found]:
    promised: dict[tuple[str, str], int] = defaultdict(int)
    for queue in cluster_queues(plan).values():
        for flavor in (each for group in queue.get("resourceGroups") or () for each in group["flavors"]):
            for quota in flavor["resources"]:
                promised[flavor["name"], quota["name"]] += amount_of(quota["name"], quota["nominalQuota"])
    yield from _beside_the_platform(plan, promised)
    for flavor in plan.of_type(FLAVOR):
        name = flavor.inputs["metadata"]["name"]
        nodes = nodes_of_flavor(name, plan)
        held = {resource: _held(nodes, resource) for resource in _RESOURCES if nodes}
        excess = [
            f"{_in_words(resource, promised[name, resource])} of pool {name}, which holds {most:.0f}"
            for resource, most in held.items()
            if promised[name, resource] > most * _ROUNDING
        ]
        if excess:
            yield Found(flavor, f"teams are promised {'; '.join(excess)}")


def _beside_the_platform(plan: Plan, promised: Mapping[tuple[str, str], int]) -> Iterator[Found]:
    """The platform's own pods take their part of the pools without a taint, whoever was promised it."""
    flavors = {each.inputs["metadata"]["name"]: each for each in plan.of_type(FLAVOR)}
    shared = {name: nodes for name in flavors if (nodes := nodes_of_flavor(name, plan)) and not nodes[0].taints}
    own = [each for each in workloads_of(plan) if each.meant_for == "cpu"]
    for resource in ("cpu", "memory"):
        taken = sum(each.requests.get(resource, 0) * each.count for each in own)
        left = sum(_held(nodes, resource) for nodes in shared.values()) - taken
        wanted = sum(promised[name, resource] for name in shared)
        if wanted and wanted > left * _ROUNDING:
            largest = max(shared, key=lambda name: promised[name, resource])
            amount, rest = _in_words(resource, wanted), max(0, left)
            text = f"teams are promised {amount} of {listed(shared)}, where the platform's own pods leave {rest:.0f}"
            yield Found(flavors[largest], text)


def _of_namespaces(plan: Plan) -> Iterator[Found]:
    quotas = plan.of_type("kubernetes:core/v1:ResourceQuota")
    promised = {resource: sum(_allowed(quota, resource) for quota in quotas) for resource in _RESOURCES}
    held = {resource: _held(nodes_of(plan), resource) for resource in _RESOURCES}
    if excess := [resource for resource in _RESOURCES if promised[resource] > held[resource] * _ROUNDING]:
        largest = max(quotas, key=lambda quota: _allowed(quota, excess[0]))
        amounts = [f"{_in_words(each, promised[each])}, of which the pools hold {held[each]:.0f}" for each in excess]
        yield Found(largest, f"all namespaces together are promised {'; '.join(amounts)}")


def _allowed(quota: Resource, resource: str) -> int:
    hard = quota.inputs["spec"].get("hard") or {}
    return amount_of(resource, hard.get(f"requests.{resource}", hard.get(resource, 0)))


def _in_words(resource: str, amount: int) -> str:
    return f"{amount} GPUs" if resource == names.GPU_RESOURCE else in_words(resource, amount)


def _held(nodes: Iterable[Node], resource: str) -> float:
    """The most of a resource that pools can hold at once; infinite where a pool has no limit."""
    pools: dict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        pools[node.pool.urn].append(node)
    return sum(_held_by_pool(of_pool, resource) for of_pool in pools.values())


def _held_by_pool(nodes: list[Node], resource: str) -> float:
    each = [node.allocatable[resource] for node in nodes]
    pool, size = nodes[0].pool, nodes[0].most
    if pool.type == NODE_GROUP:
        # EKS takes whichever type it can get. The least GPUs are certain; of the rest quotas are generous.
        per_node = min(each) if resource == names.GPU_RESOURCE else max(each)
        return inf if size is None else size * per_node
    # Karpenter counts all that a node has, pods get what the kubelet leaves of it.
    bounds = [
        amount_of(limited, limit) * max(_ratio(node.allocatable[resource], node.capacity[limited]) for node in nodes)
        for limited, limit in (pool.inputs["spec"].get("limits") or {}).items()
        if limited in _RESOURCES
    ]
    return min(bounds, default=inf)


def _ratio(amount: int, capacity: int) -> float:
    return amount / capacity if capacity else (inf if amount else 0)
