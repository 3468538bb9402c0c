"""Who runs DCGM's host engine on a GPU node, and how the exporter of GPU metrics reaches it."""

from enum import StrEnum
from typing import Any

PORT = 5555
"""The port of the host engine that the node monitoring agent runs."""

REMOTE_VARIABLE = "DCGM_REMOTE_HOSTENGINE_INFO"
"""The environment variable that tells the exporter where the host engine is."""


class DcgmHostEngine(StrEnum):
    """Who runs DCGM's host engine on a GPU node. Two of them make node repair take healthy nodes away."""

    NODE_MONITORING_AGENT = "nodeMonitoringAgent"
    """EKS's node monitoring agent; the metrics exporter asks it."""
    EXPORTER = "exporter"
    """The metrics exporter itself; only for a cluster without the node monitoring agent."""


def service_monitor(*, has_prometheus: bool) -> dict[str, Any]:
    """What the exporter's charts are told of its ServiceMonitor, whose kind only Prometheus's operator brings."""
    if not has_prometheus:
        return {"enabled": False}
    # By its node a GPU gets its price; which name a host engine on another address reports is another matter.
    node = {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}
    # The exporter names the pod that has a GPU, and Prometheus would name the exporter's own in its place.
    return {"enabled": True, "honorLabels": True, "interval": "15s", "relabelings": [node]}
