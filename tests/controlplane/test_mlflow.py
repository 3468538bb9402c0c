"""MLflow on a real control plane."""

import pytest

from controlplane import crds
from controlplane.client import Client
from controlplane.scheduling import add_nodes, placements
from controlplane.test_operators import SYSTEM_NODE, UNTAINTED
from eksml import names
from eksml.checks.workloads import workloads_of
from eksml.plan.manifests import objects
from tracking.mlflow_program import LOGIN, mlflow

pytestmark = pytest.mark.controlplane


@pytest.mark.parametrize("authentication", [{"kind": "basic"}, LOGIN], ids=["basic", "openIdConnect"])
def test_its_objects_are_admitted_and_its_pods_are_restricted(cluster: Client, authentication: dict[str, str]) -> None:
    registered = objects(mlflow(replicas=2, authentication=authentication, arguments={"has_prometheus": True}))
    crds.install(cluster, registered)
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "vision"}})
    made = [cluster.create(item)["kind"] for item in registered]
    assert {"SecretProviderClass", "PodMonitor", "PodDisruptionBudget", "NetworkPolicy"} <= set(made)
    for each in workloads_of(mlflow(replicas=2, authentication=authentication)):
        pod = {"name": each.name.replace("/", "-").lower(), "namespace": names.MLFLOW_NAMESPACE}
        cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": pod, "spec": each.pod})


def test_its_pods_keep_off_gpu_nodes(cluster: Client) -> None:
    add_nodes(cluster, [UNTAINTED])
    pods = [
        {"name": each.name, "spec": {**each.pod, "serviceAccountName": "default"}} for each in workloads_of(mlflow())
    ]
    assert len(pods) == 2
    assert all("didn't match Pod's node affinity" in reason for reason in placements(cluster, pods).values())
    add_nodes(cluster, [SYSTEM_NODE])
    assert set(placements(cluster, pods).values()) == {"system"}
