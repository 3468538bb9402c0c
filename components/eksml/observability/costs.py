"""What nodes and teams cost, as recording rules: the catalog's prices, joined with what Kubernetes says of them.

On demand, without disks, traffic or the platform itself: the bill is AWS's. A type whose price is not known has no
series, and its nodes cost nothing here; the dashboard of costs counts them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eksml.catalog import instance_types
from eksml.kubernetes_object import KubernetesObject

_RUNNING = '(sum by (namespace, pod) (kube_pod_status_phase{phase="Running"}) == 1)'
_GPUS = '(sum by (node) (kube_node_status_allocatable{resource="nvidia_com_gpu"}) > 0)'

# Labels of nodes by which they are told apart, and those of kube-state-metrics that they are read from. A managed group
# and Karpenter say in different words whether a node is a spot one.
_NODE_LABELS = (
    ("pool", "$1", "label_eksml_dev_pool", "(.+)"),
    ("instance_type", "$1", "label_node_kubernetes_io_instance_type", "(.+)"),
    ("capacity_type", "$1", "label_karpenter_sh_capacity_type", "(.+)"),
    ("capacity_type", "spot", "label_eks_amazonaws_com_capacity_type", "SPOT"),
    ("capacity_type", "on-demand", "label_eks_amazonaws_com_capacity_type", "ON_DEMAND"),
)


def cost_rules(region: str, types: Iterable[str], *, has_gpus: bool) -> KubernetesObject:
    """The PrometheusRule that prices the nodes of these instance types in a region, and shares them among teams.

    Arguments:
        region: AWS region of the prices.
        types: the EC2 types of the nodes.
        has_gpus: whether NVIDIA's exporter measures GPUs, of which the price of one is told then.
    """
    costs = _costs()
    if not has_gpus:
        del costs["eksml:gpu_usd_per_hour"]
    groups = [{"name": "prices", "interval": "1m", "rules": prices(region, types)}]
    groups += [{"name": "costs", "interval": "1m", "rules": _recorded(costs)}]
    return KubernetesObject("monitoring.coreos.com/v1", "PrometheusRule", "costs", {"spec": {"groups": groups}})


def prices(region: str, types: Iterable[str]) -> list[dict[str, Any]]:
    """A series for each instance type whose price on demand is known in the region."""
    known = {each: instance_types()[each].on_demand_usd_per_hour.get(region) for each in sorted(set(types))}
    return [
        {
            "record": "eksml:instance_usd_per_hour",
            "expr": f"vector({price.usd})",
            "labels": {"instance_type": instance_type},
        }
        for instance_type, price in known.items()
        if price is not None and price.usd is not None
    ]


def _recorded(rules: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"record": record, "expr": expression} for record, expression in rules.items()]


def _costs() -> dict[str, str]:
    """The other rules by name, each after those that it reads."""
    return {
        "eksml:node_usd_per_hour": (
            f"max by (node, pool, instance_type, capacity_type) ({_labelled('kube_node_labels')}"
            " * on (instance_type) group_left () eksml:instance_usd_per_hour)"
        ),
        "eksml:gpu_usd_per_hour": (
            "sum by (node) (eksml:node_usd_per_hour) / on (node) count by (node) (DCGM_FI_DEV_GPU_TEMP)"
        ),
        # A pod on a GPU node is charged for GPUs alone: what else it takes there nobody else could use.
        "eksml:pod_node_share": (
            f"{_requests('nvidia_com_gpu')} / on (node) group_left () {_GPUS}"
            f" or {_requests('cpu')} / on (node) group_left ()"
            f' (sum by (node) (kube_node_status_allocatable{{resource="cpu"}}) unless on (node) {_GPUS})'
        ),
        "eksml:team_usd_per_hour": (
            "sum by (team, pool) (label_replace(label_replace(eksml:pod_node_share * on (node) group_left (pool)"
            " eksml:node_usd_per_hour * on (namespace) group_left (label_eksml_dev_team) kube_namespace_labels,"
            ' "team", "platform", "", ""), "team", "$1", "label_eksml_dev_team", "(.+)"))'
        ),
        "eksml:node_idle_usd_per_hour": (
            "eksml:node_usd_per_hour * on (node) group_left ()"
            " (1 - clamp_max(sum by (node) (eksml:pod_node_share), 1)) or on (node) eksml:node_usd_per_hour"
        ),
    }


def _labelled(series: str) -> str:
    for label, value, source, pattern in _NODE_LABELS:
        series = f'label_replace({series}, "{label}", "{value}", "{source}", "{pattern}")'
    return series


def _requests(resource: str) -> str:
    """What each running pod asks for: one that has ended holds nothing, and is still listed."""
    asked = f'kube_pod_container_resource_requests{{resource="{resource}"}}'
    return f"sum by (namespace, pod, node) ({asked}) * on (namespace, pod) group_left () {_RUNNING}"
