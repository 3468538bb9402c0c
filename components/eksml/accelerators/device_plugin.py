"""NVIDIA's device plugin: it tells Kubernetes which GPUs a node has, and hands them to pods."""

from enum import StrEnum
from typing import Any, Literal

import pulumi
import pulumi_kubernetes as k8s

from eksml import names
from eksml.catalog import ami_families
from eksml.component import Component
from eksml.spec import Spec

# The port of the host engine that the node monitoring agent runs.
_HOST_ENGINE_PORT = 5555


class DcgmHostEngine(StrEnum):
    """Who runs DCGM's host engine on a GPU node. Two of them make node repair take healthy nodes away."""

    NODE_MONITORING_AGENT = "nodeMonitoringAgent"
    """EKS's node monitoring agent; the metrics exporter asks it."""
    EXPORTER = "exporter"
    """The metrics exporter itself; only for a cluster without the node monitoring agent."""


class DevicePluginSpec(Spec):
    """NVIDIA's device plugin with feature discovery, a RuntimeClass, and the exporter of GPU metrics."""

    kind: Literal["devicePlugin"] = "devicePlugin"
    dcgm_host_engine: DcgmHostEngine = DcgmHostEngine.NODE_MONITORING_AGENT
    """Who runs DCGM's host engine: nodeMonitoringAgent, or exporter in a cluster without that agent."""


class DevicePlugin(Component):
    """The device plugin and GPU feature discovery on every GPU node, and the exporter of GPU metrics.

    It keeps off nodes whose image brings a device plugin of its own (Bottlerocket).

    Arguments:
        spec: who runs DCGM's host engine.
    """

    def __init__(self, name: str, spec: DevicePluginSpec, *, opts: pulumi.ResourceOptions | None = None):
        super().__init__("eksml:accelerators:DevicePlugin", name, spec, opts)
        namespace = k8s.core.v1.Namespace(
            f"{name}-namespace",
            # Privileged: the plugin and the exporter reach into the node, which is their task.
            metadata={"name": names.GPU_NAMESPACE, "labels": {names.POD_SECURITY_LABEL: "privileged"}},
            opts=self.child(),
        )
        k8s.node.v1.RuntimeClass(
            f"{name}-runtime-class",
            metadata={"name": names.GPU_RUNTIME_CLASS},
            handler=names.GPU_RUNTIME_CLASS,
            opts=self.child(),
        )
        self.helm_release("nvidia-device-plugin", _device_plugin_values(), depends_on=[namespace])
        self.helm_release("dcgm-exporter", _exporter_values(spec.dcgm_host_engine), depends_on=[namespace])
        self.register_outputs({})


def _gpu_nodes(*expressions: dict[str, Any]) -> dict[str, Any]:
    present = {"key": names.GPU_LABEL, "operator": "In", "values": [names.GPU_LABEL_VALUE]}
    terms = [{"matchExpressions": [present, *expressions]}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def _device_plugin_values() -> dict[str, Any]:
    has_own_plugin = [name for name, family in ami_families().items() if family.has_device_plugin]
    return {
        "gfd": {"enabled": True},
        "affinity": _gpu_nodes({"key": names.AMI_FAMILY_LABEL, "operator": "NotIn", "values": has_own_plugin}),
        "tolerations": [names.gpu_toleration()],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "nfd": {"worker": {"tolerations": [names.gpu_toleration()]}},
    }


def _exporter_values(host_engine: DcgmHostEngine) -> dict[str, Any]:
    values: dict[str, Any] = {
        "affinity": _gpu_nodes(),
        "tolerations": [names.gpu_toleration()],
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
        # The chart's default needs the Prometheus operator's CRDs, which are not there yet.
        "serviceMonitor": {"enabled": False},
    }
    if host_engine is DcgmHostEngine.NODE_MONITORING_AGENT:
        values["extraEnv"] = [
            {"name": "NODE_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
            {"name": "DCGM_REMOTE_HOSTENGINE_INFO", "value": f"$(NODE_IP):{_HOST_ENGINE_PORT}"},
        ]
    return values
