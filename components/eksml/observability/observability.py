"""What measures a platform, tells what is wrong, and keeps logs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import pulumi
import pulumi_kubernetes as k8s

from eksml import names
from eksml.component import Component, Tags
from eksml.errors import Problem, SpecError
from eksml.observability.alerts import Alerts, AlertsSpec
from eksml.observability.logs import CloudWatchLogs, CloudWatchLogsSpec
from eksml.observability.monitors import monitors
from eksml.observability.objectives import MeasuredServer
from eksml.observability.prometheus import Prometheus, PrometheusSpec
from eksml.spec import Spec

WITH_PROMETHEUS = ("prometheus", "kubeStateMetrics", "kubelet")
"""The exporters that come with Prometheus itself."""


class ObservabilitySpec(Spec):
    """What measures a platform; each part is there only if it is named."""

    prometheus: PrometheusSpec | None = None
    """Prometheus: what autoscaling and the analysis of rollouts ask."""
    alerts: AlertsSpec | None = None
    """Who is told of what: rules for all that is measured, and Alertmanager; null: nobody."""
    logs: CloudWatchLogsSpec | None = None
    """Where the logs of all containers go: CloudWatch; null: they go with their pods."""

    def rules(self) -> Iterator[Problem]:
        """Alerts are told by what is measured."""
        if self.alerts and not self.prometheus:
            yield Problem(("alerts",), "given, but without prometheus nothing is measured: prometheus: {} is enough")

    @property
    def secrets_needed(self) -> dict[str, str]:
        """By name, the secrets that its parts need, and what each of them is."""
        return self.alerts.secrets_needed if self.alerts else {}

    @property
    def uses_aws(self) -> Iterator[str]:
        """The settings that make something in AWS."""
        if self.prometheus and self.prometheus.remote_write:
            yield "prometheus.remoteWrite"
        if self.logs:
            yield "logs"


class Observability(Component):
    """What measures a platform, and what tells of it.

    Arguments:
        spec: what there is.
        secrets: by name, what `spec.secrets_needed` names.
        exporters: the catalog's names of what Prometheus reads beside WITH_PROMETHEUS: dcgm, karpenter, kueue,
            certManager, mlflow, and those of the engines of servers. Of karpenter and certManager it makes the monitors.
        servers: by name, the model servers that are measured.
        owners: by team, who is told of what is about it.
        region, cluster_name: of the EKS cluster, needed for what is in AWS.
        tags: tags for every AWS resource.
        image_registry: a registry that images and charts come from, instead of their own.

    Attributes:
        prometheus: Prometheus, if there is one.
    """

    def __init__(
        self,
        name: str,
        spec: ObservabilitySpec,
        *,
        secrets: Mapping[str, pulumi.Input[str]] | None = None,
        exporters: Collection[str] = (),
        servers: Mapping[str, MeasuredServer] | None = None,
        owners: Mapping[str, str | None] | None = None,
        region: str | None = None,
        cluster_name: pulumi.Input[str] | None = None,
        tags: Tags | None = None,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:observability:Observability", name, spec, opts, tags, image_registry)
        self.prometheus = (
            Prometheus(
                f"{name}-prometheus",
                spec.prometheus,
                alerts=spec.alerts,
                owners=owners,
                region=region,
                cluster_name=cluster_name,
                tags=self.own_tags,
                image_registry=image_registry,
                opts=self.child(),
            )
            if spec.prometheus
            else None
        )
        if self.prometheus:
            self._monitors(exporters, self.prometheus)
        if spec.alerts and self.prometheus:
            Alerts(
                f"{name}-alerts",
                spec.alerts,
                secrets=secrets or {},
                exporters={*WITH_PROMETHEUS, "alertmanager", *exporters},
                servers=servers,
                owners=owners,
                opts=self.child(depends_on=[self.prometheus.namespace, self.prometheus.definitions]),
            )
        if spec.logs:
            self._logs(spec.logs, region, cluster_name)
        self.register_outputs({})

    def _monitors(self, exporters: Collection[str], prometheus: Prometheus) -> None:
        for each in monitors(exporters):
            k8s.apiextensions.CustomResource(
                f"{self.resource_name}-{each.name}-monitor",
                api_version=each.api_version,
                kind=each.kind,
                metadata={"name": each.name, "namespace": names.OBSERVABILITY_NAMESPACE},
                spec=each.body["spec"],
                opts=self.child(depends_on=[prometheus.namespace, prometheus.definitions]),
            )

    def _logs(self, spec: CloudWatchLogsSpec, region: str | None, cluster_name: pulumi.Input[str] | None) -> None:
        if region is None or cluster_name is None:
            raise SpecError([Problem(("logs",), "given, but needs region and cluster_name of the cluster")])
        CloudWatchLogs(
            f"{self.resource_name}-logs",
            spec,
            region=region,
            cluster_name=cluster_name,
            # EKS's own are beside it, below the name of the cluster.
            group_name=f"/aws/eks/{self.resource_name}/containers",
            tags=self.own_tags,
            image_registry=self.image_registry,
            opts=self.child(),
        )
