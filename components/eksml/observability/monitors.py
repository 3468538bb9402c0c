"""What Prometheus reads of controllers whose charts come before the kinds that say so."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from eksml import names
from eksml.catalog import charts
from eksml.kubernetes_object import KubernetesObject


def monitors(exporter_names: Collection[str]) -> Iterator[KubernetesObject]:
    """ServiceMonitors and PodMonitors of those of the exporters karpenter and certManager that are named."""
    if "karpenter" in exporter_names:
        yield _monitor("ServiceMonitor", "karpenter", {"app.kubernetes.io/name": "karpenter"}, {"port": "http-metrics"})
    if "certManager" in exporter_names:
        labels = {"app.kubernetes.io/instance": "cert-manager", "app.kubernetes.io/component": "controller"}
        # Its series are of other namespaces than its own.
        yield _monitor("PodMonitor", "cert-manager", labels, {"portNumber": 9402, "honorLabels": True})


def _monitor(kind: str, chart: str, labels: dict[str, str], endpoint: dict[str, Any]) -> KubernetesObject:
    endpoints = "endpoints" if kind == "ServiceMonitor" else "podMetricsEndpoints"
    spec = {
        "namespaceSelector": {"matchNames": [charts()[chart].namespace]},
        "selector": {"matchLabels": labels},
        endpoints: [endpoint],
    }
    return KubernetesObject(names.MONITORING_API_VERSION, kind, chart, {"spec": spec})
