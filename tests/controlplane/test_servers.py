"""Model servers on a real control plane: every kind is admitted, in every shape, and its pods land on their pool.

The operators do not run here: what KServe, KubeRay, Argo Rollouts and LeaderWorkerSet make of these objects is theirs.
"""

from typing import Any

import pytest

from controlplane import crds
from controlplane.client import Client
from controlplane.scheduling import add_nodes, placements, schedulable
from controlplane.test_stacks import name_of, simulated
from eksml import names
from eksml.checks.nodes import nodes_of
from eksml.checks.workloads import workloads_of
from eksml.network.exposure import ExposureSpec
from eksml.plan.manifests import objects
from eksml.serving.model_source import BucketSource, HubSource
from eksml.serving.populate import Populate
from programs import stack_plan
from serving.model_servers import KINDS, server, spec_of

HOURS = {"start": "08:00", "end": "18:00"}
METRIC = {"autoscaling": {"kind": "metric", "max_replicas": 4}}
SLEEPING = {"autoscaling": {"kind": "metric", "min_replicas": 0, "max_replicas": 4, "working_hours": [HOURS]}}
CPU = {"autoscaling": {"kind": "cpu", "max_replicas": 4}}
HTTP = {"autoscaling": {"kind": "http", "max_replicas": 4}}
SCHEDULE = {"autoscaling": {"kind": "schedule", "working_hours": [HOURS]}}
RAY = {"autoscaling": {"max_replicas": 4}, "queue": None}
EXPOSED = {"exposure": ExposureSpec(hostname="chat.example.com")}
FILLED = {
    "source": BucketSource(
        bucket="models", prefix="models/qwen/", model="Qwen/Qwen2.5-7B-Instruct", revision="7" * 40, populate=Populate()
    )
}
OF_ALL: dict[str, dict[str, Any]] = {
    "plain": {},
    "several": {"replicas": 3, **EXPOSED},
    "filled": FILLED,
    "bare": {"warm_up": None, "metrics": False, "queue": None},
}
SCALED = {"metric": METRIC, "sleeping": SLEEPING, "cpu": CPU, "http": {**HTTP, **EXPOSED}, "schedule": SCHEDULE}
JUDGED = {"blueGreen": {"rollout": {"kind": "blueGreen"}, **METRIC}, "canary": {"rollout": {"kind": "canary"}}}
OWN = {
    "kserve": {"metric": METRIC, "cpu": CPU},
    "rayServeVllm": {"ray": RAY, "two nodes": {"nodes": 2, "upgrade": "none"}},
    "vllm": {"two nodes": {"nodes": 2, "replicas": 2}},
}


def shapes_of(kind: str) -> dict[str, dict[str, Any]]:
    """The settings of a kind in every shape that it can have."""
    shapes = OF_ALL | ({} if kind in ("kserve", "rayServeVllm") else SCALED | JUDGED) | OWN.get(kind, {})
    # Not every engine can be given a model of the hub.
    is_of_the_hub = isinstance(KINDS[kind].own["source"], HubSource)
    return {shape: settings for shape, settings in shapes.items() if shape != "filled" or is_of_the_hub}


pytestmark = pytest.mark.controlplane


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_admitted_in_every_shape(kind: str, cluster: Client) -> None:
    shapes = shapes_of(kind).values()
    made = [
        item for n, settings in enumerate(shapes) for item in objects(server(kind, namespace=f"team-{n}", **settings))
    ]
    crds.install(cluster, made)
    for namespace in {item["metadata"]["namespace"] for item in made if "namespace" in item["metadata"]}:
        cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    assert [cluster.create(item)["kind"] for item in made] == [item["kind"] for item in made]


def test_the_pods_of_every_kind_land_on_the_serving_pool_of_production(cluster: Client) -> None:
    nodes = nodes_of(stack_plan("production"))
    add_nodes(cluster, [simulated(node) for node in nodes])
    pools = {name_of(node): node.labels[names.POOL_LABEL] for node in nodes}
    for kind in KINDS:
        on_gpus = spec_of(kind).gpus_per_node > 0
        settings: dict[str, Any] = (
            {} if on_gpus else {"instance_type": None, "cpus_per_node": 1, "memory_gib_per_node": 2}
        )
        for each in workloads_of(server(kind, **settings)):
            name = names.fitted(f"{kind}-{each.name}".lower(), 63)
            node = placements(cluster, [{"name": name, "spec": schedulable(each.pod)}])[name]
            has_gpu = any(names.GPU_RESOURCE in c["resources"]["limits"] for c in each.pod["containers"])
            assert pools.get(node) == ("serve" if has_gpu else "system"), (kind, each.name, node)
