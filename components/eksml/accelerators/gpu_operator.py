"""NVIDIA's GPU operator: the device plugin and all around it, and MIG, under one controller."""

from collections.abc import Mapping
from typing import Any, Literal

import pulumi

from eksml import names
from eksml.accelerators.dcgm_host_engine import PORT, REMOTE_VARIABLE, DcgmHostEngine, service_monitor
from eksml.accelerators.device_plugin_configs import DEFAULT, config_texts
from eksml.accelerators.gpu_namespace import gpu_namespace
from eksml.component import Component
from eksml.spec import Spec


class GpuOperatorSpec(Spec):
    """NVIDIA's GPU operator. Driver and container toolkit are the image's; all the rest is the operator's."""

    kind: Literal["gpuOperator"] = "gpuOperator"
    dcgm_host_engine: DcgmHostEngine = DcgmHostEngine.NODE_MONITORING_AGENT
    """Who runs DCGM's host engine: nodeMonitoringAgent, or exporter in a cluster without that agent."""

    @property
    def charts(self) -> tuple[str, ...]:
        """The charts that it installs."""
        return ("gpu-operator",)


class GpuOperator(Component):
    """The GPU operator, which makes the device plugin, feature discovery, metrics, MIG and the RuntimeClass by itself.

    Arguments:
        spec: who runs DCGM's host engine.
        sharings: ways of sharing GPUs by name, which nodes choose with the label nvidia.com/device-plugin.config.
        has_prometheus: whether Prometheus's operator is there, to read the metrics of GPUs.
        image_registry: a registry that images and chart come from, instead of their own.
    """

    def __init__(
        self,
        name: str,
        spec: GpuOperatorSpec,
        *,
        sharings: Mapping[str, Mapping[str, Any]] | None = None,
        has_prometheus: bool = False,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:accelerators:GpuOperator", name, spec, opts, image_registry=image_registry)
        namespace = gpu_namespace(self)
        monitor = service_monitor(has_prometheus=has_prometheus)
        self.helm_release("gpu-operator", _values(spec, sharings or {}, monitor), depends_on=[namespace])
        self.register_outputs({})


def _values(
    spec: GpuOperatorSpec, sharings: Mapping[str, Mapping[str, Any]], monitor: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        # Both are part of EKS's images with NVIDIA's driver.
        "driver": {"enabled": False},
        "toolkit": {"enabled": False},
        "ccManager": {"enabled": False},
        "operator": {"runtimeClass": names.GPU_RUNTIME_CLASS},
        "daemonsets": {"tolerations": [names.gpu_toleration()]},
        "node-feature-discovery": {"worker": {"tolerations": [names.gpu_toleration()]}},
        "validator": {"resources": _resources("10m", "64Mi", "256Mi")},
        "devicePlugin": {
            "config": {
                "create": True,
                "name": "device-plugin-configs",
                "default": DEFAULT,
                "data": config_texts(sharings),
            },
            "resources": _resources("50m", "64Mi", "256Mi"),
        },
        "gfd": {"resources": _resources("10m", "64Mi", "256Mi")},
        "dcgmExporter": _exporter_values(spec.dcgm_host_engine, monitor),
        # Every slice is then one nvidia.com/gpu, and a pod asks for it as for a whole one.
        "mig": {"strategy": "single"},
        "migManager": {
            # On EC2 a GPU changes its MIG mode only while its node starts.
            "env": [{"name": "WITH_REBOOT", "value": "true"}],
            "resources": _resources("10m", "64Mi", "256Mi"),
        },
    }


def _exporter_values(host_engine: DcgmHostEngine, monitor: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {
        "serviceMonitor": dict(monitor),
        "resources": _resources("50m", "128Mi", "1Gi"),
    }
    if host_engine is DcgmHostEngine.NODE_MONITORING_AGENT:
        # The operator's own settings cannot name the node's address, so the exporter shares its network.
        values |= {"hostNetwork": True, "env": [{"name": REMOTE_VARIABLE, "value": f"localhost:{PORT}"}]}
    return values


def _resources(cpu: str, memory: str, memory_limit: str) -> dict[str, Any]:
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory_limit}}
