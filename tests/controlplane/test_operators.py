"""Every operator on a real control plane, those too that no profile has."""

from functools import cache
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest
import yaml

from controlplane import crds
from controlplane.client import Client
from controlplane.scheduling import add_nodes, placements
from controlplane.test_control_plane import GPU_NODE
from controlplane.test_kustomizations import built
from eksml import names
from eksml.catalog import charts
from eksml.checks.workloads import workloads_of
from eksml.cluster.secrets_store import SecretsStore, SecretsStoreSpec
from eksml.observability.prometheus import Prometheus, PrometheusSpec
from eksml.plan import Plan
from eksml.plan.canonical import KUSTOMIZE_DIRECTORY
from eksml.plan.manifests import objects
from eksml.serving.argo_rollouts import ArgoRolloutsSpec
from eksml.serving.kserve import KServeSpec
from eksml.serving.leader_worker_set import LeaderWorkerSetOperatorSpec
from eksml.serving.operators import ServingOperators, ServingSpec
from eksml.training.kuberay import KubeRaySpec
from eksml.training.mpi_operator import MpiOperatorSpec
from eksml.training.operators import TrainingOperators, TrainingSpec
from eksml.training.trainer import TrainerSpec
from eksml.training.training_operator import TrainingOperatorSpec
from programs import recorded

pytestmark = pytest.mark.controlplane

SYSTEM_NODE = {"name": "system", "capacity": {"cpu": "4", "memory": "16Gi", "pods": "29"}}
# As in a cluster of somebody else's, without a taint: only their label tells that there are GPUs.
UNTAINTED = {**GPU_NODE, "taints": [], "labels": {names.GPU_LABEL: names.GPU_LABEL_VALUE}}


@cache
def plan() -> Plan:
    training = TrainingSpec(
        training_operator=TrainingOperatorSpec(replicas=2),
        mpi_operator=MpiOperatorSpec(replicas=2),
        kube_ray=KubeRaySpec(replicas=2),
        trainer=TrainerSpec(replicas=2),
    )
    serving = ServingSpec(
        argo_rollouts=ArgoRolloutsSpec(replicas=2),
        kserve=KServeSpec(),
        leader_worker_set=LeaderWorkerSetOperatorSpec(replicas=2),
    )

    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        opts = pulumi.ResourceOptions(providers=[provider])
        TrainingOperators("lab-training", training, opts=opts)
        ServingOperators("lab-serving", serving, opts=opts)

    return recorded(program)


def test_their_objects_are_admitted_runtimes_and_disruption_budgets_too(cluster: Client) -> None:
    registered = objects(plan())
    crds.install(cluster, registered)
    made = [cluster.create(item)["kind"] for item in registered]
    assert made.count("ClusterTrainingRuntime") == 4
    assert made.count("ClusterServingRuntime") == 3
    assert made.count("PodDisruptionBudget") == 5
    assert made.count("Namespace") == 8


def test_their_pods_keep_off_gpu_nodes_that_have_no_taint(cluster: Client) -> None:
    add_nodes(cluster, [UNTAINTED])
    pods = [{"name": each.name, "spec": each.pod} for each in workloads_of(plan())]
    assert len(pods) == 11
    assert all("didn't match Pod's node affinity" in reason for reason in placements(cluster, pods).values())
    add_nodes(cluster, [SYSTEM_NODE])
    assert set(placements(cluster, pods).values()) == {"system"}


@cache
def measuring() -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        spec = PrometheusSpec(node_exporter=True)
        Prometheus("lab", spec, opts=pulumi.ResourceOptions(providers=[provider]))

    return recorded(program)


def test_its_definitions_are_what_kustomize_makes_of_the_tag(tmp_path: Path) -> None:
    (directory,) = measuring().of_type(KUSTOMIZE_DIRECTORY)
    made = list(yaml.load_all(built(directory, tmp_path), Loader=yaml.CSafeLoader))
    assert sorted(item["metadata"]["name"] for item in made) == sorted(charts()["kube-prometheus-stack"].crds)


def test_prometheus_keeps_off_gpu_nodes_that_have_no_taint(cluster: Client) -> None:
    (namespace,) = objects(measuring())
    cluster.create(namespace)
    add_nodes(cluster, [UNTAINTED])
    pods = [{"name": each.name, "spec": each.pod} for each in workloads_of(measuring()) if each.kind != "DaemonSet"]
    assert len(pods) == 3
    assert all("didn't match Pod's node affinity" in reason for reason in placements(cluster, pods).values())
    add_nodes(cluster, [SYSTEM_NODE])
    assert set(placements(cluster, pods).values()) == {"system"}


@cache
def with_a_mounted_secret() -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        store = SecretsStore("lab-secrets", SecretsStoreSpec(), kubernetes_version="1.36", cluster_name="lab")
        k8s.apiextensions.CustomResource(
            "database",
            api_version="secrets-store.csi.x-k8s.io/v1",
            kind="SecretProviderClass",
            metadata={"name": "database", "namespace": "default"},
            spec={"provider": "aws", "parameters": {"region": "us-west-2", "usePodIdentity": "true", "objects": "[]"}},
            opts=pulumi.ResourceOptions(provider=provider, depends_on=[store]),
        )
        attributes = {"secretProviderClass": "database"}
        volume: Any = {
            "name": "database",
            "csi": {"driver": "secrets-store.csi.k8s.io", "readOnly": True, "volumeAttributes": attributes},
        }
        container: Any = {"name": "reader", "image": "busybox:1.37"}
        k8s.core.v1.Pod(
            "reader",
            metadata={"name": "reader", "namespace": "default"},
            spec={"containers": [container], "volumes": [volume]},
            opts=pulumi.ResourceOptions(provider=provider, depends_on=[store]),
        )

    return recorded(program)


def test_what_a_pod_mounts_of_secrets_manager_is_admitted(cluster: Client) -> None:
    registered = objects(with_a_mounted_secret())
    crds.install(cluster, registered)
    made = [cluster.create(item)["kind"] for item in registered]
    assert sorted(made) == ["Pod", "SecretProviderClass"]
