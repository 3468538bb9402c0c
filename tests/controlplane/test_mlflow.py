"""MLflow on a real control plane."""

from pathlib import Path
from urllib.error import HTTPError

import pytest

from controlplane import crds
from controlplane.client import Client, RefusedError
from controlplane.scheduling import add_nodes, placements
from controlplane.test_operators import SYSTEM_NODE, UNTAINTED
from eksml import names
from eksml.checks.workloads import workloads_of
from eksml.plan.manifests import objects
from eksml.tracking.scripts import cluster_secrets
from tracking.mlflow_program import LOGIN, OF_ADMINISTRATOR, mlflow

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


def test_the_job_fills_its_secrets_and_reads_and_makes_no_other(
    cluster: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered = objects(mlflow(database=OF_ADMINISTRATOR))
    kinds = ("Namespace", "ServiceAccount", "Secret", "Role", "RoleBinding")
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "vision"}})
    for item in registered:
        if item["kind"] in kinds:
            cluster.create(item)
    (tmp_path / "token").write_text(cluster.token("mlflow", "mlflow-migration"))
    (tmp_path / "ca.crt").write_bytes(Path(cluster.connections.connection_pool_kw["ca_certs"]).read_bytes())
    monkeypatch.setenv("SERVICE_ACCOUNT_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("KUBERNETES_API", cluster.url)
    for namespace, name in (("mlflow", "mlflow-database"), ("mlflow", "mlflow-sign-in"), ("vision", "mlflow")):
        assert cluster_secrets.read(namespace, name) == {}
        cluster_secrets.write(namespace, name, {"username": "vision"})
        cluster_secrets.write(namespace, name, {"password": cluster_secrets.unknown()})
        found = cluster_secrets.read(namespace, name)
        assert found["username"] == "vision"
        assert cluster_secrets.kept(found, "password") == found["password"]
    for namespace, name in (("mlflow", "mlflow-admin"), ("vision", "theirs"), ("default", "mlflow")):
        for ask in (cluster_secrets.read, lambda *where: cluster_secrets.write(*where, {"a": "b"})):
            with pytest.raises(HTTPError, match="403"):
                ask(namespace, name)
    made = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "another", "namespace": "vision"}}
    job = cluster.as_user("system:serviceaccount:mlflow:mlflow-migration", "system:serviceaccounts")
    with pytest.raises(RefusedError, match="cannot create"):
        job.create(made)
