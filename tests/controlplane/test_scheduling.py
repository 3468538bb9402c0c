"""What the checks judge themselves, where a pod may run and how much a quantity is, asked of the real thing."""

from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from controlplane.client import Client, RefusedError
from controlplane.scheduling import add_nodes, placements
from eksml.checks.nodes import Node
from eksml.checks.quantities import amount_of
from eksml.checks.scheduling import may_run
from placements import NODE, POD

pytestmark = pytest.mark.controlplane

# The same every time, and no search for the smallest one that fails: each asks a server.
ALIKE = settings(derandomize=True, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))


def test_the_scheduler_puts_pods_where_the_checks_say_that_they_may_run(cluster: Client) -> None:
    numbers, seen = count(), set()

    @settings(ALIKE, max_examples=3)
    @given(nodes=st.lists(NODE, min_size=3, max_size=3), pods=st.lists(POD, min_size=20, max_size=20))
    def agrees(nodes: list[Node], pods: list[dict[str, Any]]) -> None:
        named = {f"node-{next(numbers)}": node for node in nodes}
        add_nodes(cluster, [_simulated(name, node) for name, node in named.items()])
        pairs = {f"pod-{next(numbers)}": (pod, name) for pod in pods for name in named}
        placed = placements(cluster, [{"name": pod, "spec": _pinned(*pair)} for pod, pair in pairs.items()])
        for pod, (spec, name) in pairs.items():
            may = may_run(spec, named[name])
            assert (placed[pod] == name) is may, f"{spec} on {named[name].labels}, {named[name].taints}: {placed[pod]}"
            seen.add(may)

    agrees()
    assert seen == {True, False}


def _simulated(name: str, node: Node) -> dict[str, Any]:
    capacity = {"cpu": "1000", "memory": "1Ti", "pods": "1000"}
    return {"name": name, "labels": dict(node.labels), "taints": list(node.taints), "capacity": capacity}


def _pinned(pod: dict[str, Any], node: str) -> dict[str, Any]:
    selector = {**pod.get("nodeSelector", {}), "kubernetes.io/hostname": node}
    return {**pod, "nodeSelector": selector, "containers": [{"name": "main", "image": "example.com/image:1.0.0"}]}


def test_the_api_server_reads_quantities_as_the_checks_do(cluster: Client) -> None:
    seen = set()
    text = st.from_regex(r"\A[0-9]{0,3}\.?[0-9]{0,4}([eE][+-]?[0-9]{1,2})?[numkKMGTPEi]{0,2}\Z")

    @settings(ALIKE, max_examples=200)
    @given(text=text)
    def agrees(text: str) -> None:
        hard = {"requests.cpu": text, "requests.memory": text}
        item = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "any"}, "spec": {"hard": hard}}
        try:
            read = cluster.create(item, dry_run=True)["spec"]["hard"]
        except RefusedError:
            read = {}
        for resource in ("cpu", "memory"):
            assert amount_of(resource, text) == amount_of(resource, read.get(f"requests.{resource}", "0")), read
        seen.add(bool(read))

    agrees()
    assert seen == {True, False}
