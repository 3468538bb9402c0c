"""NVIDIA's device plugin: it tells Kubernetes which GPUs a node has, and hands them to pods."""

from collections.abc import Mapping
from typing import Any, Literal

import pulumi
import pulumi_kubernetes as k8s

from eksml import names
from eksml.accelerators.dcgm_host_engine import PORT, REMOTE_VARIABLE, DcgmHostEngine, service_monitor
from eksml.accelerators.device_plugin_configs import DEFAULT, config_texts
from eksml.accelerators.gpu_namespace import gpu_namespace
from eksml.catalog import ami_families
from eksml.component import Component
from eksml.spec import Spec


class DevicePluginSpec(Spec):
    """NVIDIA's device plugin with feature discovery, a RuntimeClass, and the exporter of GPU metrics."""

    kind: Literal["devicePlugin"] = "devicePlugin"
    dcgm_host_engine: DcgmHostEngine = DcgmHostEngine.NODE_MONITORING_AGENT
    """Who runs DCGM's host engine: nodeMonitoringAgent, or exporter in a cluster without that agent."""

    @property
    def charts(self) -> tuple[str, ...]:
        """The charts that it installs."""
        return ("nvidia-device-plugin", "dcgm-exporter")


class DevicePlugin(Component):
    """The device plugin and GPU feature discovery on every GPU node, and the exporter of GPU metrics.

    It keeps off nodes whose image brings a device plugin of its own (Bottlerocket).

    Arguments:
        spec: who runs DCGM's host engine.
        sharings: ways of sharing GPUs by name, which nodes choose with the label nvidia.com/device-plugin.config.
        has_prometheus: whether Prometheus's operator is there, to read the metrics of GPUs.
        image_registry: a registry that images and charts come from, instead of their own.
    """

    def __init__(
        self,
        name: str,
        spec: DevicePluginSpec,
        *,
        sharings: Mapping[str, Mapping[str, Any]] | None = None,
        has_prometheus: bool = False,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:accelerators:DevicePlugin", name, spec, opts, image_registry=image_registry)
        namespace = gpu_namespace(self)
        k8s.node.v1.RuntimeClass(
            f"{name}-runtime-class",
            metadata={"name": names.GPU_RUNTIME_CLASS},
            handler=names.GPU_RUNTIME_CLASS,
            opts=self.child(),
        )
        self.helm_release("nvidia-device-plugin", _device_plugin_values(sharings or {}), depends_on=[namespace])
        monitor = service_monitor(has_prometheus=has_prometheus)
        self.helm_release("dcgm-exporter", _exporter_values(spec.dcgm_host_engine, monitor), depends_on=[namespace])
        self.register_outputs({})


def _gpu_nodes(*expressions: dict[str, Any]) -> dict[str, Any]:
    present = {"key": names.GPU_LABEL, "operator": "In", "values": [names.GPU_LABEL_VALUE]}
    terms = [{"matchExpressions": [present, *expressions]}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def _device_plugin_values(sharings: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    has_own_plugin = [name for name, family in ami_families().items() if family.has_device_plugin]
    return {
        **({"config": {"default": DEFAULT, "map": config_texts(sharings)}} if sharings else {}),
        # Since v20260423 the image gives devices to no container without rights that asks by environment variable
        # (https://github.com/awslabs/amazon-eks-ami/issues/2706): the plugin has rights, and hands GPUs out by CDI.
        "securityContext": {"privileged": True},
        "deviceListStrategy": "cdi-cri",
        "gfd": {"enabled": True},
        "affinity": _gpu_nodes({"key": names.AMI_FAMILY_LABEL, "operator": "NotIn", "values": has_own_plugin}),
        "tolerations": [names.gpu_toleration()],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "nfd": {"worker": {"tolerations": [names.gpu_toleration()]}},
    }


def _exporter_values(host_engine: DcgmHostEngine, monitor: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {
        "affinity": _gpu_nodes(),
        "tolerations": [names.gpu_toleration()],
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
        "serviceMonitor": dict(monitor),
    }
    if host_engine is DcgmHostEngine.NODE_MONITORING_AGENT:
        values["extraEnv"] = [
            {"name": "NODE_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
            {"name": REMOTE_VARIABLE, "value": f"$(NODE_IP):{PORT}"},
        ]
    return values
