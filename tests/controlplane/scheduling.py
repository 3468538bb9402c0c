"""Where the scheduler puts pods on nodes that a test makes up."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from controlplane.client import Client, Item
from controlplane.control_plane import FAKE_NODE

_SECONDS_TO_SCHEDULE = 30
_SECONDS_TO_RECONSIDER = 1


def add_nodes(cluster: Client, nodes: Iterable[Mapping[str, Any]]) -> None:
    """Adds nodes and waits until the scheduler may use them.

    Arguments:
        cluster: the cluster to add them to.
        nodes: each with a `name`, its `capacity` (of cpu, memory, pods, nvidia.com/gpu and the like), and, where it has
            any, `labels` and `taints`. What a kubelet adds to the labels of every node is added here.
    """
    made = [cluster.create(_node(node)) for node in nodes]
    for node in made:
        cluster.wait_until(node, _is_usable)


def placements(cluster: Client, pods: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """For the name of each pod: the name of its node, or the scheduler's reason why it has none.

    The pods are gone again afterwards, and their names have to differ even where their namespaces do. A reason counts
    once it has stood for a second, for the scheduler tries again when something changes.

    Arguments:
        cluster: the cluster with the nodes, and with the pods' namespaces.
        pods: each with a `name`, a `spec`, and, where it has any, a `namespace` and `labels`.
    """
    assert len({pod["name"] for pod in pods}) == len(pods), "two pods have one name"
    made = [cluster.create(_pod(pod)) for pod in pods]
    found = _settled(cluster, made)
    for pod in made:
        cluster.delete(pod)
        cluster.wait_until(pod, lambda found: not found)
    return {pod["metadata"]["name"]: _placement(pod) or "the scheduler has not looked at it" for pod in found}


def _settled(cluster: Client, pods: Sequence[Item]) -> Sequence[Item]:
    """The pods once each has a node, or a reason that stands, or after the time-out."""
    found: Sequence[Item] = []
    changed = began = time.monotonic()
    while (now := time.monotonic()) < began + _SECONDS_TO_SCHEDULE:
        before, found = found, [cluster.get(pod) for pod in pods]
        if [_placement(pod) for pod in found] != [_placement(pod) for pod in before]:
            changed = now
        stands = now > changed + _SECONDS_TO_RECONSIDER and all(map(_placement, found))
        if stands or all(pod["spec"].get("nodeName") for pod in found):
            break
        time.sleep(0.05)
    return found


def _placement(pod: Item) -> str:
    """The name of a pod's node, or the reason why it has none; empty as long as nothing is decided."""
    conditions = {each["type"]: each for each in pod["status"].get("conditions", [])}
    return pod["spec"].get("nodeName") or conditions.get("PodScheduled", {}).get("message", "")


def schedulable(pod: Mapping[str, Any]) -> dict[str, Any]:
    """A pod's spec without what only a team's namespace has: service account and claims, which choose no node."""
    claims = {volume["name"] for volume in pod.get("volumes", ()) if "persistentVolumeClaim" in volume}
    kept = {key: value for key, value in pod.items() if key != "serviceAccountName"}
    kept["volumes"] = [volume for volume in pod.get("volumes", ()) if volume["name"] not in claims]
    kept["containers"] = [
        {**each, "volumeMounts": [mount for mount in each.get("volumeMounts", ()) if mount["name"] not in claims]}
        for each in pod["containers"]
    ]
    return kept


def _pod(pod: Item) -> Item:
    metadata = {"name": pod["name"], "namespace": pod.get("namespace", "default"), "labels": pod.get("labels", {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod["spec"]}


def _node(node: Item) -> Item:
    labels = {"kubernetes.io/hostname": node["name"], "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": node["name"],
            "labels": {**labels, **node.get("labels", {})},
            "annotations": {FAKE_NODE: "fake"},
        },
        "spec": {"taints": node.get("taints", [])},
        "status": {"capacity": node["capacity"], "allocatable": node["capacity"]},
    }


def _is_usable(node: Item) -> bool:
    """Whether a node is ready, and the controller that had tainted it has seen that."""
    is_ready = {"type": "Ready", "status": "True"}.items()
    taints = [taint["key"] for taint in node["spec"].get("taints", [])]
    return any(is_ready <= each.items() for each in node["status"].get("conditions", [])) and not any(
        key.startswith("node.kubernetes.io/") for key in taints
    )
