"""What measures a platform, shows it, tells what is wrong, and keeps logs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import pulumi
import pulumi_kubernetes as k8s

from eksml import names
from eksml.component import Component, Tags
from eksml.errors import Problem, SpecError
from eksml.kubernetes_object import KubernetesObject
from eksml.observability.alerts import Alerts, AlertsSpec, alertmanager_values
from eksml.observability.costs import cost_rules
from eksml.observability.grafana import Grafana, GrafanaSpec, grafana_values
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
    grafana: GrafanaSpec | None = None
    """Grafana: dashboards of GPUs, jobs, model servers, queues, costs and the cluster."""
    alerts: AlertsSpec | None = None
    """Who is told of what: rules for all that is measured, and Alertmanager; null: nobody."""
    logs: CloudWatchLogsSpec | None = None
    """Where the logs of all containers go: CloudWatch; null: they go with their pods."""

    def rules(self) -> Iterator[Problem]:
        """Dashboards have something to show, and alerts something to judge."""
        if self.grafana and not self.prometheus:
            yield Problem(("grafana",), "given, but it shows what Prometheus measures: give prometheus too")
        if self.alerts and not self.prometheus:
            yield Problem(("alerts",), "given, but they judge what Prometheus measures: give prometheus too")

    @property
    def secrets_needed(self) -> dict[str, str]:
        """By name, the secrets that its parts need, and what each of them is."""
        return {key: what for part in (self.grafana, self.alerts) if part for key, what in part.secrets_needed.items()}

    @property
    def uses_aws(self) -> Iterator[str]:
        """The settings that make something in AWS."""
        if self.prometheus and self.prometheus.remote_write:
            yield "prometheus.remoteWrite"
        if self.logs:
            yield "logs"


class Observability(Component):
    """What measures a platform, shows it, and tells of it.

    Arguments:
        spec: what there is.
        secrets: by name, what `spec.secrets_needed` names.
        exporters: the catalog's names of what Prometheus reads beside WITH_PROMETHEUS: dcgm, kueue, karpenter,
            certManager, mlflow, and those of the engines of servers. What they do not measure has no dashboard and no
            alert; of karpenter and certManager it makes the monitors.
        engines: model servers that may run on the platform, each with a dashboard.
        servers: by name, the model servers that are measured.
        owners: by team, who is told of what is about it.
        region: of the cluster, where its nodes are priced; none: nothing is priced, and nothing made in AWS.
        instance_types: what its nodes may be.
        cluster_name: name of the EKS cluster, needed for what is made in AWS.
        grafana_host: the name by which the platform's entry knows Grafana, if it has an entry.
        load_balancer_cidrs: addresses of the load balancers of the entry.
        tags: tags for every AWS resource.
        image_registry: a registry that images and charts come from, instead of their own.

    Attributes:
        prometheus: Prometheus, if there is one.
        grafana: Grafana, if there is one.
    """

    def __init__(
        self,
        name: str,
        spec: ObservabilitySpec,
        *,
        secrets: Mapping[str, pulumi.Input[str]] | None = None,
        exporters: Collection[str] = (),
        engines: Collection[str] = (),
        servers: Mapping[str, MeasuredServer] | None = None,
        owners: Mapping[str, str | None] | None = None,
        region: str | None = None,
        instance_types: Collection[str] = (),
        cluster_name: pulumi.Input[str] | None = None,
        grafana_host: str | None = None,
        load_balancer_cidrs: Sequence[str] = (),
        tags: Tags | None = None,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:observability:Observability", name, spec, opts, tags, image_registry)
        self.prometheus, self.grafana = None, None
        if spec.prometheus:
            storage_class = spec.prometheus.storage_class
            self.prometheus = Prometheus(
                f"{name}-prometheus",
                spec.prometheus,
                grafana=grafana_values(spec.grafana, grafana_host) if spec.grafana else None,
                alertmanager=alertmanager_values(spec.alerts, storage_class, owners or {}) if spec.alerts else None,
                region=region,
                cluster_name=cluster_name,
                tags=self.own_tags,
                image_registry=image_registry,
                opts=self.child(),
            )
            for each in monitors(exporters):
                self._monitoring(each, self.prometheus)
            if region and instance_types:
                self._monitoring(cost_rules(region, instance_types, has_gpus="dcgm" in exporters), self.prometheus)
        if spec.grafana and self.prometheus:
            self.grafana = Grafana(
                f"{name}-grafana",
                spec.grafana,
                namespace=self.prometheus.namespace,
                exporters={*WITH_PROMETHEUS, *exporters, *(["costs"] if region and instance_types else [])},
                engines=engines,
                host=grafana_host,
                load_balancer_cidrs=load_balancer_cidrs,
                client_secret=(secrets or {}).get("grafanaClientSecret"),
                opts=self.child(),
            )
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

    def _monitoring(self, made: KubernetesObject, prometheus: Prometheus) -> None:
        k8s.apiextensions.CustomResource(
            f"{self.resource_name}-{made.name}",
            api_version=made.api_version,
            kind=made.kind,
            metadata={"name": made.name, "namespace": names.OBSERVABILITY_NAMESPACE},
            spec=made.body["spec"],
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
