"""Every operator on a real control plane, those too that no profile has."""

from functools import cache
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest
import yaml

from controlplane import crds
from controlplane.client import Client, RefusedError
from controlplane.scheduling import add_nodes, placements
from controlplane.test_control_plane import GPU_NODE
from controlplane.test_kustomizations import built
from eksml import names
from eksml.catalog import charts, engines, exporters, instance_types
from eksml.checks.workloads import workloads_of
from eksml.cluster.secrets_store import SecretsStore, SecretsStoreSpec
from eksml.observability.alert_rules import alert_rules
from eksml.observability.dashboards import dashboards
from eksml.observability.grafana import GrafanaSpec
from eksml.observability.objectives import MeasuredServer
from eksml.observability.observability import Observability, ObservabilitySpec
from eksml.observability.prometheus import PrometheusSpec
from eksml.plan import Plan
from eksml.plan.canonical import KUSTOMIZE_DIRECTORY
from eksml.plan.manifests import objects
from eksml.serving.argo_rollouts import ArgoRolloutsSpec
from eksml.serving.kserve import KServeSpec
from eksml.serving.leader_worker_set import LeaderWorkerSetOperatorSpec
from eksml.serving.operators import ServingOperators, ServingSpec
from eksml.spec import parse
from eksml.training.kuberay import KubeRaySpec
from eksml.training.mpi_operator import MpiOperatorSpec
from eksml.training.operators import TrainingOperators, TrainingSpec
from eksml.training.trainer import TrainerSpec
from eksml.training.training_operator import TrainingOperatorSpec
from programs import recorded

pytestmark = pytest.mark.controlplane

SYSTEM_NODE = {"name": "system", "capacity": {"cpu": "4", "memory": "16Gi", "pods": "29"}}
SECOND_NODE = {**SYSTEM_NODE, "name": "second"}
ALERTMANAGER = "alertmanager-kube-prometheus-stack-alertmanager"
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
        spec = ObservabilitySpec(prometheus=PrometheusSpec(node_exporter=True), grafana=GrafanaSpec())
        Observability(
            "lab",
            spec,
            exporters=["dcgm", "kueue"],
            engines=list(engines()),
            region="us-west-2",
            instance_types=list(instance_types()),
            load_balancer_cidrs=["10.0.0.0/20"],
            opts=pulumi.ResourceOptions(providers=[provider]),
        )

    return recorded(program)


def test_its_definitions_are_what_kustomize_makes_of_the_tag(tmp_path: Path) -> None:
    (directory,) = measuring().of_type(KUSTOMIZE_DIRECTORY)
    made = list(yaml.load_all(built(directory, tmp_path), Loader=yaml.CSafeLoader))
    assert sorted(item["metadata"]["name"] for item in made) == sorted(charts()["kube-prometheus-stack"].crds)


@cache
def watching() -> Plan:
    """Everything that tells and keeps: Alertmanager, all rules, monitors, remote write, logs."""
    settings = {
        "prometheus": {"remoteWrite": {}},
        "alerts": {
            "replicas": 2,
            "receivers": [{"kind": "slack", "channel": "#platform"}],
            "objectives": {"chat": {"latencyMs": 500}},
        },
        "logs": {},
    }

    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        Observability(
            "lab",
            parse(ObservabilitySpec, settings),
            region="us-west-2",
            cluster_name="lab",
            exporters=sorted(exporters()),
            servers={"chat": MeasuredServer("vision", "vllm")},
            owners={"vision": "vision@example.com"},
            secrets={"slackWebhookUrl": "https://hooks.example.com/a"},
            opts=pulumi.ResourceOptions(providers=[provider]),
        )

    return recorded(program)


def test_rules_of_alerts_and_monitors_are_admitted(cluster: Client) -> None:
    registered = [item for item in objects(watching()) if item["kind"] != "Secret"]
    crds.install(cluster, registered)
    made = [cluster.create(item)["kind"] for item in registered]
    assert made.count("PrometheusRule") == len(alert_rules()) + 1
    assert (made.count("ServiceMonitor"), made.count("PodMonitor")) == (1, 1)
    # Of Prometheus and of Alertmanager.
    assert made.count("NetworkPolicy") == 2


def test_a_misspelt_field_of_a_rule_is_refused(cluster: Client) -> None:
    rule = next(item for item in objects(watching()) if item["kind"] == "PrometheusRule")
    crds.install(cluster, [rule])
    rule["spec"]["groups"][0]["rules"][0]["annotation"] = {}
    with pytest.raises(RefusedError, match="annotation"):
        cluster.create(rule)


def test_alertmanager_keeps_off_gpu_nodes_and_logs_are_read_on_all(cluster: Client) -> None:
    pods = {each.name: each.pod for each in workloads_of(watching())}
    add_nodes(cluster, [UNTAINTED, SYSTEM_NODE, SECOND_NODE])
    alertmanager = [{"name": f"alertmanager-{n}", "spec": pods[ALERTMANAGER]} for n in range(2)]
    for item in objects(watching()):
        if item["kind"] == "Namespace":
            cluster.create(item)
    found = placements(cluster, alertmanager)
    assert set(found.values()) <= {"system", "second"}
    assert {"operator": "Exists"} in pods["aws-for-fluent-bit"]["tolerations"]


def test_every_dashboard_and_the_prices_of_every_instance_type_are_admitted(cluster: Client) -> None:
    registered = objects(measuring())
    crds.install(cluster, registered)
    made = [cluster.create(item)["kind"] for item in registered]
    assert made.count("ConfigMap") == len(dashboards())
    assert {"PrometheusRule", "NetworkPolicy", "Role", "RoleBinding"} <= set(made)


def test_prometheus_and_grafana_keep_off_gpu_nodes_that_have_no_taint(cluster: Client) -> None:
    (namespace,) = [each for each in objects(measuring()) if each["kind"] == "Namespace"]
    cluster.create(namespace)
    add_nodes(cluster, [UNTAINTED])
    pods = [{"name": each.name, "spec": each.pod} for each in workloads_of(measuring()) if each.kind != "DaemonSet"]
    assert len(pods) == 4
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
