"""Prometheus, by its operator: what autoscaling and the judgement of new versions stand on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from eksml import names
from eksml.catalog import charts
from eksml.component import Component, Tags
from eksml.controllers import no_gpu_nodes, operator_namespace, resources
from eksml.errors import Problem
from eksml.kustomization import Kustomization, KustomizationSpec
from eksml.observability.managed_prometheus import AmazonManagedPrometheusSpec, RemoteWrite
from eksml.spec import Flag, ObjectName, PositiveCount, Spec

_CHART = "kube-prometheus-stack"
_PODS = {"app.kubernetes.io/name": "prometheus"}
_PORT = 9090
# KEDA scales by what Prometheus says, Argo Rollouts judges new versions by it.
_ASKING = ("keda", "argo-rollouts")
# Prometheus is told to drop old data before its disk is full; the write-ahead log counts, and blocks that are merged.
_SHARE_OF_DISK = 0.8
# Labels of objects by which dashboards and alerts tell them apart; each makes a time series longer, not more of them.
_LABELS = [
    f"nodes=[{names.POOL_LABEL},{names.INSTANCE_TYPE_LABEL},{names.KARPENTER_CAPACITY_TYPE_LABEL},{names.EKS_CAPACITY_TYPE_LABEL}]",
    f"pods=[{names.JOB_LABEL},{names.SERVER_LABEL}]",
    f"namespaces=[{names.TEAM_LABEL}]",
]


class PrometheusSpec(Spec):
    """Prometheus with its operator and kube-state-metrics."""

    retention_days: PositiveCount = 15
    """For how long measurements are kept, as long as there is room."""
    size_gib: PositiveCount = 50
    """Size of the volume of each replica, in GiB; the oldest measurements go when four fifths of it are full."""
    storage_class: ObjectName = names.DEFAULT_STORAGE_CLASS
    """StorageClass of the volumes; gp3 is encrypted where a platform has made it."""
    memory_gib: PositiveCount = 4
    """Memory of each replica, in GiB: about 1 for each hundred thousand time series, and as much for queries."""
    replicas: PositiveCount = 1
    """Pods, each of which measures everything by itself."""
    node_exporter: Flag = False
    """Whether every node is measured too: processors, memory, disks, network."""
    remote_write: AmazonManagedPrometheusSpec | None = None
    """Where measurements go as well, to be kept for longer: Amazon Managed Prometheus; null: nowhere."""

    def rules(self) -> Iterator[Problem]:
        """The volume holds what is kept."""
        least = ceil(self.retention_days / _SHARE_OF_DISK)
        if self.size_gib < least:
            reason = "a hundred thousand time series take about 1 GiB a day, and a fifth of the volume stays free"
            text = f"{self.size_gib} given, must be at least {least} for {self.retention_days} days: {reason}"
            yield Problem(("sizeGib",), text)


class Prometheus(Component):
    """Prometheus for the whole cluster: it takes the ServiceMonitors, PodMonitors and rules of all namespaces.

    Arguments:
        spec: how much it keeps, and on what.
        grafana, alertmanager: values of the chart's own Grafana and Alertmanager, if there are any.
        region, cluster_name: of the EKS cluster, needed for remote write only.
        tags: tags for every AWS resource.
        image_registry: a registry that images and chart come from, instead of their own; the definitions come by git.

    Attributes:
        namespace: where it runs.
        definitions: its CustomResourceDefinitions, for whatever makes objects of them.
        url: where queries go, inside the cluster.
    """

    def __init__(
        self,
        name: str,
        spec: PrometheusSpec,
        *,
        grafana: Mapping[str, Any] | None = None,
        alertmanager: Mapping[str, Any] | None = None,
        region: str | None = None,
        cluster_name: pulumi.Input[str] | None = None,
        tags: Tags | None = None,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:observability:Prometheus", name, spec, opts, tags, image_registry)
        self.namespace = operator_namespace(self, charts()[_CHART].namespace)
        # Helm installs the CRDs in a chart once, and never changes them.
        crds = KustomizationSpec.of_catalog("prometheus-operator-crds")
        self.definitions = Kustomization(f"{name}-crds", crds, opts=self.child())
        parts = {"grafana": grafana, "alertmanager": alertmanager}
        values: dict[str, Any] = _values(spec) | {
            part: dict(given or {"enabled": False}) for part, given in parts.items()
        }
        needs: list[pulumi.Resource] = [self.namespace, self.definitions]
        if spec.remote_write:
            remote = RemoteWrite(
                f"{name}-remote-write",
                spec.remote_write,
                region=region,
                cluster_name=cluster_name,
                tags=self.own_tags,
                opts=self.child(),
            )
            values["prometheus"]["prometheusSpec"].update(remote.values)
            # A pod that starts in between would be refused.
            needs.append(remote)
        self.helm_release(_CHART, values, skip_crds=True, depends_on=needs)
        self._network_policy()
        self.url = names.PROMETHEUS_URL
        self.register_outputs({"url": self.url})

    def _network_policy(self) -> None:
        # It has no sign-in, and knows what every team does.
        asking = [charts()[chart].namespace for chart in _ASKING]
        expression = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": asking}
        controllers = [{"namespace_selector": {"match_expressions": [expression]}}]
        neighbours = [{"pod_selector": {}}]
        ingress: Any = [{"from_": neighbours}, {"from_": controllers, "ports": [{"protocol": "TCP", "port": _PORT}]}]
        k8s.networking.v1.NetworkPolicy(
            f"{self.resource_name}-network-policy",
            metadata={"name": "prometheus", "namespace": names.OBSERVABILITY_NAMESPACE},
            spec={"pod_selector": {"match_labels": _PODS}, "policy_types": ["Ingress"], "ingress": ingress},
            opts=self.child(depends_on=[self.namespace]),
        )


def _values(spec: PrometheusSpec) -> dict[str, Any]:
    return {
        "prometheusOperator": _operator(),
        "prometheus": {
            "serviceAccount": {"name": names.PROMETHEUS_SERVICE_ACCOUNT},
            "prometheusSpec": _prometheus(spec),
            "podDisruptionBudget": {"enabled": spec.replicas > 1, "minAvailable": 1},
        },
        "kube-state-metrics": {
            "affinity": no_gpu_nodes(),
            "resources": resources("20m", "128Mi", "512Mi"),
            "metricLabelsAllowlist": _LABELS,
        },
        "nodeExporter": {"enabled": spec.node_exporter},
        **({"prometheus-node-exporter": _node_exporter()} if spec.node_exporter else {}),
        # Ours are in the folder alerts, each with its runbook.
        "defaultRules": {"create": False},
        # Of the API server's thousands of time series nothing here needs one; the rest is out of reach in EKS.
        "kubeApiServer": {"enabled": False},
        "coreDns": {"enabled": False},
        "kubeControllerManager": {"enabled": False},
        "kubeScheduler": {"enabled": False},
        "kubeEtcd": {"enabled": False},
        "kubeProxy": {"enabled": False},
    }


def _operator() -> dict[str, Any]:
    return {
        # The webhooks only check rules and routes of alerts; their certificate is made by Jobs of every upgrade, and
        # the API server would have to reach them. The operator's own TLS takes the same certificate.
        "admissionWebhooks": {"enabled": False},
        "tls": {"enabled": False},
        "affinity": no_gpu_nodes(),
        "resources": resources("50m", "128Mi", "512Mi"),
        "prometheusConfigReloader": {"resources": resources("10m", "32Mi", "128Mi")},
    }


def _prometheus(spec: PrometheusSpec) -> dict[str, Any]:
    claim = {
        "storageClassName": spec.storage_class,
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": f"{spec.size_gib}Gi"}},
    }
    return {
        "replicas": spec.replicas,
        # The catalog's queries look back two minutes.
        "scrapeInterval": "15s",
        "evaluationInterval": "15s",
        "retention": f"{spec.retention_days}d",
        # Prometheus's GB is 2^30 bytes.
        "retentionSize": f"{int(spec.size_gib * _SHARE_OF_DISK) or 1}GB",
        "storageSpec": {"volumeClaimTemplate": {"spec": claim}},
        # Otherwise the volumes would cost after it is gone.
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"},
        "affinity": no_gpu_nodes(),
        "resources": resources("250m", f"{spec.memory_gib}Gi", f"{spec.memory_gib}Gi"),
        # By default only what carries the label of this release is taken.
        "serviceMonitorSelectorNilUsesHelmValues": False,
        "podMonitorSelectorNilUsesHelmValues": False,
        "ruleSelectorNilUsesHelmValues": False,
        "probeSelectorNilUsesHelmValues": False,
        "scrapeConfigSelectorNilUsesHelmValues": False,
    }


def _node_exporter() -> dict[str, Any]:
    return {
        # It reads the node's own files, which the namespace of the others does not allow.
        "namespaceOverride": names.SYSTEM_NAMESPACE,
        "tolerations": names.tolerations_of_storage(),
        "resources": resources("20m", "32Mi", "128Mi"),
    }
