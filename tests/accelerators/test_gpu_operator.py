"""NVIDIA's GPU operator."""

from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import yaml

from eksml import names
from eksml.accelerators.dcgm_host_engine import DcgmHostEngine
from eksml.accelerators.gpu_operator import GpuOperator, GpuOperatorSpec
from eksml.nodes.sharing import Mps, TimeSlicing, config_name
from eksml.plan import Plan
from programs import one, recorded

WAYS = (TimeSlicing(replicas=4), Mps(replicas=8))


def operator(image_registry: str | None = None, **settings: Any) -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        GpuOperator(
            "lab-gpus",
            GpuOperatorSpec(**settings),
            sharings={config_name(way): way.device_plugin_sharing() for way in WAYS},
            image_registry=image_registry,
            opts=pulumi.ResourceOptions(providers=[provider]),
        )

    return recorded(program)


def release(plan: Plan) -> Any:
    return one(plan, "kubernetes:helm.sh/v3:Release").inputs


def test_it_works_alone_and_with_nothing_of_ours_beside_it() -> None:
    made = [resource.type for resource in operator().resources if resource.package == "kubernetes"]
    assert sorted(made) == ["kubernetes:core/v1:Namespace", "kubernetes:helm.sh/v3:Release"]


def test_driver_and_toolkit_are_those_of_the_image() -> None:
    values = release(operator())["values"]
    assert values["driver"] == {"enabled": False}
    assert values["toolkit"] == {"enabled": False}


def test_every_daemon_set_of_it_tolerates_the_taint() -> None:
    values = release(operator())["values"]
    assert values["daemonsets"]["tolerations"] == [names.gpu_toleration()]
    assert values["node-feature-discovery"]["worker"]["tolerations"] == [names.gpu_toleration()]


def test_the_device_plugin_has_a_configuration_for_each_way_of_sharing_and_none_by_default() -> None:
    config = release(operator())["values"]["devicePlugin"]["config"]
    assert config["default"] == "exclusive"
    assert sorted(config["data"]) == ["exclusive", "mps-8", "time-slicing-4"]
    assert yaml.safe_load(config["data"]["exclusive"]) == {"version": "v1"}
    sliced = yaml.safe_load(config["data"]["time-slicing-4"])
    assert sliced == {"version": "v1", "sharing": WAYS[0].device_plugin_sharing()}


def test_a_slice_counts_as_a_gpu_and_a_node_restarts_to_be_divided() -> None:
    values = release(operator())["values"]
    assert values["mig"]["strategy"] == "single"
    assert values["migManager"]["env"] == [{"name": "WITH_REBOOT", "value": "true"}]


def test_there_is_one_host_engine_per_node() -> None:
    exporter = release(operator())["values"]["dcgmExporter"]
    assert exporter["hostNetwork"] is True
    assert exporter["env"] == [{"name": "DCGM_REMOTE_HOSTENGINE_INFO", "value": "localhost:5555"}]
    alone = release(operator(dcgm_host_engine=DcgmHostEngine.EXPORTER))["values"]["dcgmExporter"]
    assert not {"hostNetwork", "env"} & set(alone)


def test_chart_and_images_can_come_from_a_registry_of_ones_own() -> None:
    mirrored = release(operator(image_registry="registry.example.com/cache"))
    assert mirrored["chart"] == "oci://registry.example.com/cache/helm.ngc.nvidia.com/nvidia/gpu-operator"
    assert "repositoryOpts" not in mirrored
    values = mirrored["values"]
    assert values["operator"]["repository"] == "registry.example.com/cache/nvcr.io/nvidia"
    assert values["dcgmExporter"]["repository"] == "registry.example.com/cache/nvcr.io/nvidia/k8s"
    nfd = values["node-feature-discovery"]
    assert nfd["image"]["repository"] == "registry.example.com/cache/registry.k8s.io/nfd/node-feature-discovery"
    assert nfd["worker"]["tolerations"], "what was there stays"
