"""What is promised to teams, and given to pods."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from eksml import names
from eksml.checks.finding import Found
from eksml.checks.nodes import NODE_GROUP, nodes_of
from eksml.checks.workloads import amount_of
from eksml.plan import Plan

_QUEUE = "kubernetes:kueue.x-k8s.io/v1beta2:ClusterQueue"
_FLAVOR = "kubernetes:kueue.x-k8s.io/v1beta2:ResourceFlavor"


def quotas_fit_pools(plan: Plan) -> Iterator[Found]:
    """The GPUs that are always some team's add up to at most what the pools hold."""
    held = _held(plan)
    promised: dict[str, int] = defaultdict(int)
    for queue in plan.of_type(_QUEUE):
        for flavor in _flavors(queue.inputs):
            for resource in flavor["resources"]:
                if resource["name"] == names.GPU_RESOURCE:
                    promised[flavor["name"]] += amount_of(resource["name"], resource["nominalQuota"])
    for flavor in plan.of_type(_FLAVOR):
        name = flavor.inputs["metadata"]["name"]
        pool = (flavor.inputs["spec"].get("nodeLabels") or {}).get(names.POOL_LABEL, name)
        if pool in held and promised[name] > held[pool]:
            yield Found(flavor, f"teams are promised {promised[name]} GPUs of pool {pool}, which holds {held[pool]}")


def identity_used(plan: Plan) -> Iterator[Found]:
    """Every Pod Identity belongs to a service account that the Plan makes, or may be one of a chart's or add-on's."""
    made = [each.inputs.get("metadata") or {} for each in plan.of_type("kubernetes:core/v1:ServiceAccount")]
    accounts = {(metadata.get("namespace"), metadata.get("name")) for metadata in made}
    unseen = {str(each.inputs.get("namespace")) for each in plan.of_type("kubernetes:helm.sh/v3:Release")}
    unseen |= {names.SYSTEM_NAMESPACE}
    for association in plan.of_type("aws:eks/podIdentityAssociation:PodIdentityAssociation"):
        namespace, account = association.inputs.get("namespace"), association.inputs.get("serviceAccount")
        if (namespace, account) not in accounts and namespace not in unseen:
            yield Found(association, f"no service account {namespace}/{account} is made by the stack")


def _held(plan: Plan) -> dict[str, int]:
    """The GPUs of each pool, by the pool's label."""
    held: dict[str, int] = {}
    for node in nodes_of(plan):
        pool = node.labels.get(names.POOL_LABEL)
        if pool is None:
            continue
        if node.pool.type == NODE_GROUP:
            most = (node.most or 0) * node.gpus
            held[pool] = min(held.get(pool, most), most)
        else:
            limits = node.pool.inputs["spec"].get("limits") or {}
            held[pool] = amount_of(names.GPU_RESOURCE, limits.get(names.GPU_RESOURCE, 0))
    return held


def _flavors(queue: Any) -> Iterator[Any]:
    for group in queue["spec"].get("resourceGroups", ()):
        yield from group["flavors"]
