"""Whether a pod may run on a node, as Kubernetes' scheduler decides it.

Source: https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
"""

from collections.abc import Mapping
from typing import Any

from eksml import names
from eksml.checks.nodes import Node


def may_run(pod: Mapping[str, Any], node: Node) -> bool:
    """Whether the pod chooses the node, and the node's taints let it."""
    return is_chosen(pod, node) and is_tolerated(pod, node)


def is_chosen(pod: Mapping[str, Any], node: Node) -> bool:
    """Whether the pod's selector and required affinity lead to the node."""
    selector = pod.get("nodeSelector") or {}
    if any(node.labels.get(key) != value for key, value in selector.items() if not _is_unknown(key, node)):
        return False
    required = required_affinity(pod)
    return not required or any(_all_hold(term, node) for term in required.get("nodeSelectorTerms") or ())


def required_affinity(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    """What of a pod's affinity decides on which nodes it may run; empty where it has none."""
    affinity = (pod.get("affinity") or {}).get("nodeAffinity") or {}
    return affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}


def is_tolerated(pod: Mapping[str, Any], node: Node) -> bool:
    """Whether the pod tolerates every taint that would keep it off the node."""
    tolerations = pod.get("tolerations") or []
    return all(
        any(_tolerates(toleration, taint) for toleration in tolerations)
        for taint in node.taints
        if taint["effect"] != "PreferNoSchedule"
    )


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, str]) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint["key"])
    return toleration.get("key") == taint["key"] and (toleration.get("value") or "") == (taint.get("value") or "")


def _all_hold(term: Mapping[str, Any], node: Node) -> bool:
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    # The only field is a node's name, and no node has the name that somebody gives before it is there.
    return all(_holds(each, node.labels) for each in expressions if not _is_unknown(each["key"], node)) and all(
        _holds(each, {}) for each in fields
    )


def _is_unknown(key: str, node: Node) -> bool:
    """Whether a node has a label for certain, but of a value that a Plan cannot tell, such as its zone."""
    of_others = (*_LABELS_OF_OTHERS, *(_LABELS_OF_KARPENTER if names.KARPENTER_POOL_LABEL in node.labels else ()))
    return key not in node.labels and key.startswith(of_others)


_LABELS_OF_OTHERS = (
    "topology.kubernetes.io/",
    "topology.k8s.aws/",
    "kubernetes.io/hostname",
    "eks.amazonaws.com/",
    "nvidia.com/gpu.",
    "nvidia.com/cuda.",
    "feature.node.kubernetes.io/",
)
# On its own nodes only: those of a managed pool have eks.amazonaws.com/capacityType instead.
_LABELS_OF_KARPENTER = (names.KARPENTER_CAPACITY_TYPE_LABEL, "karpenter.k8s.aws/")


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or []
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" as operator:
            if not (str(value).isdecimal() and values and str(values[0]).isdecimal()):
                return False
            return int(str(value)) > int(values[0]) if operator == "Gt" else int(str(value)) < int(values[0])
        case _:
            return False
