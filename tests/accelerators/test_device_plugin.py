"""NVIDIA's device plugin, feature discovery and metrics."""

from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from eksml import names
from eksml.accelerators.dcgm_host_engine import DcgmHostEngine
from eksml.accelerators.device_plugin import DevicePlugin, DevicePluginSpec
from eksml.plan import Plan
from programs import one, recorded


def gpus(**settings: Any) -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        DevicePlugin("lab-gpus", DevicePluginSpec(**settings), opts=pulumi.ResourceOptions(providers=[provider]))

    return recorded(program)


def values(plan: Plan, chart: str) -> Any:
    return one(plan, "kubernetes:helm.sh/v3:Release", f"lab-gpus-{chart}").inputs["values"]


def expressions(values: Any) -> list[dict[str, Any]]:
    (term,) = values["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    return term["matchExpressions"]


def test_it_works_alone_in_the_cluster_that_it_is_given() -> None:
    plan = gpus()
    provider = one(plan, "pulumi:providers:kubernetes").urn
    made = [resource for resource in plan.resources if resource.package == "kubernetes"]
    assert {resource.name for resource in made} == {
        "lab-gpus-namespace",
        "lab-gpus-runtime-class",
        "lab-gpus-nvidia-device-plugin",
        "lab-gpus-dcgm-exporter",
    }
    assert {resource.provider for resource in made} == {provider}


@pytest.mark.parametrize("chart", ["nvidia-device-plugin", "dcgm-exporter"])
def test_it_runs_on_gpu_nodes_and_tolerates_their_taint(chart: str) -> None:
    found = values(gpus(), chart)
    assert {"key": names.GPU_LABEL, "operator": "In", "values": [names.GPU_LABEL_VALUE]} in expressions(found)
    assert found["tolerations"] == [names.gpu_toleration()]


def test_the_plugin_keeps_off_images_that_bring_their_own() -> None:
    off = {"key": names.AMI_FAMILY_LABEL, "operator": "NotIn", "values": ["bottlerocket"]}
    assert off in expressions(values(gpus(), "nvidia-device-plugin"))
    assert off not in expressions(values(gpus(), "dcgm-exporter")), "the exporter measures those nodes too"


def test_gpus_are_handed_out_although_the_image_heeds_no_environment_variable() -> None:
    found = values(gpus(), "nvidia-device-plugin")
    assert found["securityContext"] == {"privileged": True}
    assert found["deviceListStrategy"] == "cdi-cri"


def test_feature_discovery_sees_gpu_nodes_behind_their_taint() -> None:
    found = values(gpus(), "nvidia-device-plugin")
    assert found["gfd"]["enabled"] is True
    assert found["nfd"]["worker"]["tolerations"] == [names.gpu_toleration()]


def test_the_exporter_asks_the_host_engine_of_the_node_instead_of_starting_a_second_one() -> None:
    environment = values(gpus(), "dcgm-exporter")["extraEnv"]
    assert {"name": "DCGM_REMOTE_HOSTENGINE_INFO", "value": "$(NODE_IP):5555"} in environment
    alone = values(gpus(dcgm_host_engine=DcgmHostEngine.EXPORTER), "dcgm-exporter")
    assert "extraEnv" not in alone


def test_charts_wait_for_their_namespace_and_are_pinned() -> None:
    plan = gpus()
    namespace = one(plan, "kubernetes:core/v1:Namespace")
    for release in plan.of_type("kubernetes:helm.sh/v3:Release"):
        assert namespace.urn in release.dependencies
        assert release.inputs["namespace"] == namespace.inputs["metadata"]["name"]
        assert release.inputs["version"]
        assert release.inputs["timeout"] == 600


def test_the_namespace_says_how_privileged_its_pods_are() -> None:
    labels = one(gpus(), "kubernetes:core/v1:Namespace").inputs["metadata"]["labels"]
    assert labels == {"pod-security.kubernetes.io/enforce": "privileged"}


def test_it_has_a_configuration_for_each_way_of_sharing_and_none_by_default() -> None:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        opts = pulumi.ResourceOptions(providers=[provider])
        DevicePlugin("lab-gpus", DevicePluginSpec(), sharings={"mps-2": {"mps": {"resources": []}}}, opts=opts)

    config = values(recorded(program), "nvidia-device-plugin")["config"]
    assert config["default"] == "exclusive"
    assert sorted(config["map"]) == ["exclusive", "mps-2"]
    assert "config" not in values(gpus(), "nvidia-device-plugin")


def test_gpus_are_measured_where_there_is_prometheus_by_the_name_of_the_pod_that_has_them() -> None:
    def program() -> None:
        opts = pulumi.ResourceOptions(providers=[k8s.Provider("cluster", kubeconfig="{}")])
        DevicePlugin("lab-gpus", DevicePluginSpec(), has_prometheus=True, opts=opts)

    monitor = values(recorded(program), "dcgm-exporter")["serviceMonitor"]
    assert (monitor["enabled"], monitor["honorLabels"]) == (True, True)
    assert [each["targetLabel"] for each in monitor["relabelings"]] == ["node"], "by it a GPU has a price"
    assert values(gpus(), "dcgm-exporter")["serviceMonitor"] == {"enabled": False}, "its kind is not there"
