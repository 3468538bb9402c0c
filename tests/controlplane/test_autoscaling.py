"""What scales servers, on a real control plane: KEDA's parts land, and its objects are admitted."""

from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from controlplane import crds
from controlplane.client import Client, RefusedError
from controlplane.scheduling import add_nodes, placements
from controlplane.test_operators import SYSTEM_NODE, UNTAINTED
from eksml.checks.workloads import workloads_of
from eksml.kubernetes_object import KubernetesObject
from eksml.plan.manifests import objects
from eksml.serving.autoscaling import (
    AnyAutoscaling,
    CpuAutoscaling,
    HttpAutoscaling,
    MetricAutoscaling,
    ScaledServer,
    ScheduleAutoscaling,
    WorkingHours,
    interceptor_grant,
    scaler,
)
from eksml.serving.keda import Keda, KedaHttpAddOnSpec, KedaSpec
from programs import recorded

pytestmark = pytest.mark.controlplane

SERVER = ScaledServer("chat", "default", "vllm", "apps/v1", "Deployment", 8000, 720)
OFFICE = (WorkingHours(start="08:00", end="19:00"),)
WAYS: list[AnyAutoscaling] = [
    MetricAutoscaling(min_replicas=0, max_replicas=4, working_hours=OFFICE),
    MetricAutoscaling(max_replicas=4),
    CpuAutoscaling(max_replicas=4),
    HttpAutoscaling(max_replicas=4),
    ScheduleAutoscaling(working_hours=OFFICE),
]


def item(made: KubernetesObject) -> dict[str, Any]:
    return {"apiVersion": made.api_version, "kind": made.kind, "metadata": {"name": made.name}, **made.body}


@pytest.mark.parametrize("spec", WAYS, ids=lambda spec: f"{spec.kind}-{spec.min_replicas}")
def test_whatever_scales_a_server_is_admitted(cluster: Client, spec: AnyAutoscaling) -> None:
    made = [item(each) for each in scaler(spec, SERVER)]
    crds.install(cluster, made)
    for each in made:
        cluster.create(each)


def test_the_grant_for_routes_to_the_interceptor_is_admitted(cluster: Client) -> None:
    grant = item(interceptor_grant("chat", "default"))
    crds.install(cluster, [grant])
    cluster.create(grant)


def test_the_server_too_refuses_fewer_replicas_at_most_than_at_least(cluster: Client) -> None:
    (made,) = (item(each) for each in scaler(WAYS[1], SERVER))
    crds.install(cluster, [made])
    made["spec"]["minReplicaCount"] = 5
    with pytest.raises(RefusedError, match="minReplicaCount must be less than or equal to maxReplicaCount"):
        cluster.create(made)


def test_the_parts_of_keda_keep_off_gpu_nodes_that_have_no_taint(cluster: Client) -> None:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        spec = KedaSpec(replicas=2, http_add_on=KedaHttpAddOnSpec())
        Keda("lab", spec, opts=pulumi.ResourceOptions(providers=[provider]))

    plan = recorded(program)
    for each in objects(plan):
        cluster.create(each)
    add_nodes(cluster, [UNTAINTED])
    pods = [{"name": each.name, "spec": each.pod} for each in workloads_of(plan)]
    assert len(pods) == 6
    assert all("didn't match Pod's node affinity" in reason for reason in placements(cluster, pods).values())
    add_nodes(cluster, [SYSTEM_NODE])
    assert set(placements(cluster, pods).values()) == {"system"}
