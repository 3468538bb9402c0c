"""AWS's EFA device plugin."""

import pulumi
import pulumi_kubernetes as k8s
import pytest

from eksml import names
from eksml.accelerators.efa_device_plugin import EfaDevicePlugin, EfaDevicePluginSpec
from eksml.plan import Plan
from programs import one, recorded


def plugin(region: str = "us-west-2") -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        EfaDevicePlugin(
            "lab-efa", EfaDevicePluginSpec(region=region), opts=pulumi.ResourceOptions(providers=[provider])
        )

    return recorded(program)


def test_it_works_alone_on_nodes_with_efa_whatever_their_taint() -> None:
    values = one(plugin(), "kubernetes:helm.sh/v3:Release").inputs["values"]
    assert values["nodeSelector"] == {names.EFA_LABEL: names.EFA_LABEL_VALUE}
    assert values["tolerations"] == [names.gpu_toleration()]
    assert {"requests", "limits"} <= set(values["resources"])


@pytest.mark.parametrize(
    ("region", "registry"),
    [
        ("us-west-2", "602401143452.dkr.ecr.us-west-2.amazonaws.com"),
        ("eu-central-2", "900612956339.dkr.ecr.eu-central-2.amazonaws.com"),
        ("mx-central-1", "602401143452.dkr.ecr.us-west-2.amazonaws.com"),
        ("cn-north-1", "918309763551.dkr.ecr.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_its_image_comes_from_the_registry_of_the_region_where_that_is_known(region: str, registry: str) -> None:
    image = one(plugin(region), "kubernetes:helm.sh/v3:Release").inputs["values"]["image"]
    assert image == {"repository": f"{registry}/eks/aws-efa-k8s-device-plugin", "tag": "v0.5.20"}
