"""What Prometheus reads of the platform's controllers, whose charts come before the kinds that say so."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from eksml import names
from eksml.catalog import charts
from eksml.kubernetes_object import KubernetesObject

# Kueue's are behind TLS of its own making, and for those only that may read them, as Prometheus' service account may.
_KUEUE = {
    "port": "https",
    "scheme": "https",
    "bearerTokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token",
    "tlsConfig": {"insecureSkipVerify": True},
}


def monitors(exporter_names: Collection[str]) -> Iterator[KubernetesObject]:
    """ServiceMonitors and PodMonitors of those of the exporters karpenter, kueue and certManager that are named."""
    if "karpenter" in exporter_names:
        yield _monitor("ServiceMonitor", "karpenter", {"app.kubernetes.io/name": "karpenter"}, {"port": "http-metrics"})
    if "kueue" in exporter_names:
        labels = {"app.kubernetes.io/name": "kueue", "app.kubernetes.io/component": "metrics-service"}
        yield _monitor("ServiceMonitor", "kueue", labels, _KUEUE)
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
