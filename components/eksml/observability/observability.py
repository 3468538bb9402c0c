"""What measures a platform."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import pulumi
import pulumi_kubernetes as k8s

from eksml import names
from eksml.component import Component
from eksml.errors import Problem
from eksml.observability.costs import cost_rules
from eksml.observability.grafana import Grafana, GrafanaSpec, grafana_values
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

    def rules(self) -> Iterator[Problem]:
        """Dashboards have something to show."""
        if self.grafana and not self.prometheus:
            yield Problem(("grafana",), "given, but it shows what Prometheus measures: give prometheus too")

    @property
    def secrets_needed(self) -> dict[str, str]:
        """By name, the secrets that its parts need, and what each of them is."""
        return self.grafana.secrets_needed if self.grafana else {}


class Observability(Component):
    """What measures a platform.

    Arguments:
        spec: what there is.
        secrets: by name, what `spec.secrets_needed` names.
        exporters: the catalog's names of what Prometheus reads beside WITH_PROMETHEUS: dcgm, kueue.
        engines: model servers that may run on the platform, each with a dashboard.
        region: where its nodes are priced; none: nothing is priced.
        instance_types: what its nodes may be.
        grafana_host: the name by which the platform's entry knows Grafana, if it has an entry.
        load_balancer_cidrs: addresses of the load balancers of the entry.
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
        region: str | None = None,
        instance_types: Collection[str] = (),
        grafana_host: str | None = None,
        load_balancer_cidrs: Sequence[str] = (),
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:observability:Observability", name, spec, opts, image_registry=image_registry)
        self.prometheus, self.grafana = None, None
        if spec.prometheus:
            self.prometheus = Prometheus(
                f"{name}-prometheus",
                spec.prometheus,
                grafana=grafana_values(spec.grafana, grafana_host) if spec.grafana else None,
                image_registry=image_registry,
                opts=self.child(),
            )
            if region and instance_types:
                self._costs(region, instance_types, self.prometheus)
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
        self.register_outputs({})

    def _costs(self, region: str, instance_types: Collection[str], prometheus: Prometheus) -> None:
        rules = cost_rules(region, instance_types)
        k8s.apiextensions.CustomResource(
            f"{self.resource_name}-{rules.name}",
            api_version=rules.api_version,
            kind=rules.kind,
            metadata={"name": rules.name, "namespace": names.OBSERVABILITY_NAMESPACE},
            spec=rules.body["spec"],
            opts=self.child(depends_on=[prometheus.namespace, prometheus.definitions]),
        )
