"""KEDA: replicas follow Prometheus, a clock, or the requests that its HTTP add-on holds while a server wakes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pulumi

from eksml import names
from eksml.component import Component
from eksml.controllers import affinity, operator_namespace, resources
from eksml.errors import Problem
from eksml.spec import PositiveCount, Spec

# As the chart of KEDA labels the pods of its parts.
_APPS = {
    "operator": "keda-operator",
    "metricsServer": "keda-operator-metrics-apiserver",
    "webhooks": "keda-admission-webhooks",
}
_PARTS = ("operator", "metricServer", "webhooks")
# For routes that do not say; those of our servers do.
_HOLD = "1800s"
# An answer that is not streamed has no header before its last token.
_ANSWER = "900s"


class KedaHttpAddOnSpec(Spec):
    """KEDA's HTTP add-on, which is beta: its interceptor holds requests while a server that sleeps wakes."""

    replicas: PositiveCount = 2
    """Interceptor pods that always run: without any, nothing wakes."""
    max_replicas: PositiveCount = 6
    """Interceptor pods at most; more of them run while there are many requests."""

    def rules(self) -> Iterator[Problem]:
        """At most is not fewer than always."""
        if self.max_replicas < self.replicas:
            text = f"{self.max_replicas} given, must be at least {self.replicas}, which is replicas"
            yield Problem(("maxReplicas",), text)


class KedaSpec(Spec):
    """KEDA: its operator, its metrics server and its admission webhooks."""

    replicas: PositiveCount = 1
    """Pods of each of its parts: one works, another takes over when it goes."""
    http_add_on: KedaHttpAddOnSpec | None = None
    """What wakes a server from zero by a request; without it only a schedule does."""


class Keda(Component):
    """KEDA's chart, and after it that of its HTTP add-on, on nodes without GPUs.

    Arguments:
        spec: how they run.
        image_registry: a registry that images and charts come from, instead of their own.
    """

    def __init__(
        self,
        name: str,
        spec: KedaSpec,
        *,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:serving:Keda", name, spec, opts, image_registry=image_registry)
        namespace = operator_namespace(self, names.KEDA_NAMESPACE)
        keda = self.helm_release("keda", _values(spec), depends_on=[namespace])
        if spec.http_add_on:
            # Its interceptor is scaled by KEDA itself.
            self.helm_release(names.KEDA_HTTP_ADD_ON, _add_on_values(spec.http_add_on), depends_on=[keda])
        self.register_outputs({})


def _values(spec: KedaSpec) -> dict[str, Any]:
    parts = {part: {"replicaCount": spec.replicas, "affinity": affinity({"app": app})} for part, app in _APPS.items()}
    budget = {"maxUnavailable": 1} if spec.replicas > 1 else {}
    return {
        **parts,
        "image": {"pullPolicy": "IfNotPresent"},
        # Here the chart writes metricServer.
        "resources": {part: resources("50m", "128Mi", "1Gi") for part in _PARTS},
        "podDisruptionBudget": dict.fromkeys(_PARTS, budget),
        "prometheus": {part: {"enabled": True} for part in _PARTS},
    }


def _add_on_values(spec: KedaHttpAddOnSpec) -> dict[str, Any]:
    def part(component: str, cpu: str, **more: Any) -> dict[str, Any]:
        labels = {"app.kubernetes.io/component": component}
        return {
            "pullPolicy": "IfNotPresent",
            "affinity": affinity(labels),
            "resources": resources(cpu, "64Mi", "256Mi"),
            **more,
        }

    return {
        "operator": part("operator", "50m"),
        "scaler": part("scaler", "50m", replicas=spec.replicas),
        "interceptor": part(
            "interceptor",
            "250m",
            replicas={"min": spec.replicas, "max": spec.max_replicas},
            readinessTimeout=_HOLD,
            # A held request and a long answer are no reason to cut the connection.
            requestTimeout="0s",
            responseHeaderTimeout=_ANSWER,
        ),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
