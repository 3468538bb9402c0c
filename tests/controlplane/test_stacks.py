"""The stacks on a real control plane: every object is admitted, every pod lands where it should."""

from collections.abc import Sequence
from typing import Any

import pytest

from controlplane import crds
from controlplane.client import Client
from controlplane.scheduling import add_nodes, placements, schedulable
from eksml import names
from eksml.checks.nodes import Node, nodes_of
from eksml.checks.workloads import Workload, workloads_of
from eksml.plan.manifests import objects
from eksml.profiles import PROFILES
from programs import stack_plan

pytestmark = pytest.mark.controlplane


def name_of(node: Node) -> str:
    return f"{node.labels[names.POOL_LABEL]}-{node.instance_type.replace('.', '-')}"


def names_of(node: Node) -> list[str]:
    """The names of all nodes of a type that a pool always has; of a type that may come, one."""
    always = node.most if node.pool.type == "aws:eks/nodeGroup:NodeGroup" else None
    return [name_of(node), *(f"{name_of(node)}-{index}" for index in range(1, always or 1))]


def simulated(node: Node) -> dict[str, Any]:
    capacity = {"cpu": f"{node.fact.pod_millicpu}m", "memory": f"{node.fact.pod_memory_mib}Mi", "pods": "110"}
    disk = {"ephemeral-storage": f"{node.disk_mib}Mi"} if node.disk_mib else {}
    devices = {names.GPU_RESOURCE: str(node.gpus), names.EFA_RESOURCE: str(node.efa)}
    return {
        "name": name_of(node),
        "labels": dict(node.labels),
        "taints": list(node.taints),
        "capacity": capacity | disk | {resource: amount for resource, amount in devices.items() if amount != "0"},
    }


def pods_of(workload: Workload, index: int, nodes: Sequence[Node]) -> dict[str, tuple[dict[str, Any], set[str]]]:
    """The pods of a workload by name, each with the nodes on which it may land: of a DaemonSet, one on every node."""
    meant = {
        "gpu": [node for node in nodes if node.fact.gpu],
        "efa": [node for node in nodes if node.efa],
        "cpu": [node for node in nodes if not node.fact.gpu],
        "all": nodes,
    }[workload.meant_for or "all"]
    spec: dict[str, Any] = {**workload.pod, "containers": [_container(each) for each in workload.pod["containers"]]}
    base = f"{workload.name}-{index}"
    if workload.kind != "DaemonSet":
        return {base: (spec, {name for node in meant for name in names_of(node)})}
    return {
        f"{base}-{name_of(node)}": (
            {**spec, "nodeSelector": {**spec.get("nodeSelector", {}), "kubernetes.io/hostname": name_of(node)}},
            {name_of(node)},
        )
        for node in meant
    }


def _container(container: dict[str, Any]) -> dict[str, Any]:
    return {"image": "example.com/image:1.0.0", **container}


@pytest.mark.parametrize("stack", PROFILES)
def test_every_object_of_a_stack_is_admitted(stack: str, cluster: Client) -> None:
    registered = objects(stack_plan(stack))
    crds.install(cluster, registered)
    assert [cluster.create(item)["kind"] for item in registered] == [item["kind"] for item in registered]


@pytest.mark.parametrize("stack", PROFILES)
def test_every_pod_lands_on_nodes_that_it_is_meant_for(stack: str, cluster: Client) -> None:
    nodes, workloads = nodes_of(stack_plan(stack)), workloads_of(stack_plan(stack))
    add_nodes(cluster, [{**simulated(node), "name": name} for node in nodes for name in names_of(node)])
    pods = {
        name: pod for index, workload in enumerate(workloads) for name, pod in pods_of(workload, index, nodes).items()
    }
    placed = _placed(cluster, pods)
    # Only then, for they take all GPUs of their nodes.
    for_queues = {name: pod for node in nodes for name, pod in _of_a_team(node).items()}
    placed |= _placed(cluster, for_queues)
    pods |= for_queues
    astray = {name: placed[name] for name, (_, meant) in pods.items() if placed[name] not in meant}
    assert astray == {}
    assert len(placed) >= len(workloads) > 10


def _placed(cluster: Client, pods: dict[str, tuple[dict[str, Any], set[str]]]) -> dict[str, str]:
    return placements(cluster, [{"name": name, "spec": schedulable(spec)} for name, (spec, _) in pods.items()])


def _of_a_team(node: Node) -> dict[str, tuple[dict[str, Any], set[str]]]:
    """A pod as a queue sends it to the node's pool, asking for all GPUs of the node."""
    requests = {names.GPU_RESOURCE: str(node.gpus)} if node.gpus else {"cpu": "100m"}
    spec = {
        "nodeSelector": {names.POOL_LABEL: node.labels[names.POOL_LABEL], "kubernetes.io/hostname": name_of(node)},
        "tolerations": [names.gpu_toleration()] if node.gpus else [],
        "containers": [_container({"name": "main", "resources": {"limits": requests}})],
    }
    return {f"team-{name_of(node)}": (spec, {name_of(node)})}
