"""Trackers on a real control plane: what they make is admitted, and TensorBoard lands where a team may run it."""

import pytest

from controlplane import crds
from controlplane.client import Client
from controlplane.scheduling import add_nodes, placements, schedulable
from controlplane.test_stacks import name_of, simulated
from eksml import names
from eksml.checks.nodes import nodes_of
from eksml.plan.manifests import objects
from programs import stack_plan
from tracking.boards import board, pod
from tracking.test_weights_and_biases import tracked

pytestmark = pytest.mark.controlplane
EXPOSED = {"pathPrefix": "/tensorboard"}


def test_what_trackers_make_is_admitted(cluster: Client) -> None:
    made = [*objects(board(exposure=EXPOSED, pool="system")), *objects(tracked(entity="lab"))]
    crds.install(cluster, made)
    for namespace in ("vision", "speech"):
        cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    assert [cluster.create(item)["kind"] for item in made] == [item["kind"] for item in made]


@pytest.mark.parametrize("stack", ["research", "production", "startup"])
def test_the_pod_of_a_tensorboard_lands_on_a_node_without_gpus(stack: str, cluster: Client) -> None:
    nodes = nodes_of(stack_plan(stack))
    add_nodes(cluster, [simulated(node) for node in nodes])
    pools = {name_of(node): node.labels[names.POOL_LABEL] for node in nodes}
    spec = schedulable(pod(board()))
    assert pools.get(placements(cluster, [{"name": "tensorboard", "spec": spec}])["tensorboard"]) == "system"
