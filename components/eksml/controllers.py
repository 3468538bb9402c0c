"""What the controllers of all operators have in common: a namespace, nodes without GPUs, and each other's company."""

from collections.abc import Mapping
from typing import Any, Literal

import pulumi
import pulumi_kubernetes as k8s

from eksml import names
from eksml.component import Component


def operator_namespace(
    component: Component, namespace: str, *, enforce: Literal["restricted", "baseline"] = "restricted"
) -> k8s.core.v1.Namespace:
    """The namespace of an operator, as part of a component; its pods may reach those of teams."""
    labels = {names.POD_SECURITY_LABEL: enforce, names.PLATFORM_NAMESPACE_LABEL: names.PLATFORM_NAMESPACE_VALUE}
    if enforce != "restricted":
        labels[names.POD_SECURITY_WARN_LABEL] = "restricted"
    return k8s.core.v1.Namespace(
        f"{component.resource_name}-namespace",
        metadata={"name": namespace, "labels": labels},
        opts=component.child(),
    )


def disruption_budget(
    component: Component, replicas: int, namespace: str, labels: Mapping[str, str], needs: list[pulumi.Resource]
) -> None:
    """Keeps all but one of several controllers running while nodes are emptied; of one it keeps none."""
    if replicas > 1:
        k8s.policy.v1.PodDisruptionBudget(
            f"{component.resource_name}-disruption-budget",
            metadata={"name": "operator", "namespace": namespace},
            spec={"max_unavailable": 1, "selector": {"match_labels": dict(labels)}},
            opts=component.child(depends_on=needs),
        )


def no_gpu_nodes() -> dict[str, Any]:
    """The affinity of pods that keep off GPU nodes."""
    no_gpus = [{"key": names.GPU_LABEL, "operator": "DoesNotExist"}]
    terms = [{"matchExpressions": no_gpus}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def affinity(labels: Mapping[str, str]) -> dict[str, Any]:
    """For a controller's pods with these labels: no GPU nodes, and a node for each if there are enough."""
    others = {"labelSelector": {"matchLabels": dict(labels)}, "topologyKey": names.HOST_LABEL}
    return {
        **no_gpu_nodes(),
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": others}]
        },
    }


def resources(cpu: str, memory: str, memory_limit: str) -> dict[str, Any]:
    """What a controller asks for, and the most memory that it may take."""
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory_limit}}
