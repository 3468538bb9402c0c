"""What of a platform is measured, and for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eksml.catalog import engines
from eksml.observability.objectives import MeasuredServer

if TYPE_CHECKING:
    from eksml.platform_settings import PlatformSpec


def has_prometheus(spec: PlatformSpec) -> bool:
    """Whether anything is."""
    return bool(spec.observability and spec.observability.prometheus)


def measured_servers(spec: PlatformSpec) -> dict[str, MeasuredServer]:
    """By name, the model servers that are."""
    return {
        name: MeasuredServer(server.namespace, server.kind) for name, server in spec.servers.items() if server.metrics
    }


def measured_exporters(spec: PlatformSpec) -> set[str]:
    """What Prometheus reads beside what comes with it, by the catalog's names."""
    has_cert_manager = bool(spec.serving and spec.serving.kserve and spec.serving.kserve.install_cert_manager)
    has_interceptor = bool(spec.serving and spec.serving.keda and spec.serving.keda.http_add_on)
    parts = {
        "dcgm": spec.accelerators is not None,
        "karpenter": bool(spec.karpenter_pools),
        "kueue": spec.queueing is not None,
        "certManager": has_cert_manager,
        "kedaHttpAddOn": has_interceptor,
        "mlflow": spec.mlflow is not None,
        "jupyterHub": spec.notebooks is not None,
    }
    of_servers = {engines()[server.engine].exporter for server in measured_servers(spec).values()}
    return {name for name, is_there in parts.items() if is_there} | of_servers
