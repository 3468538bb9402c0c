"""The frameworks' images and sizes as ConfigMaps."""

import pulumi
import pulumi_kubernetes as k8s
import yaml

from eksml.training.framework_resources import FrameworkResources, FrameworkResourcesSpec
from programs import one, recorded


def data(config_map: str) -> dict[str, str]:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        opts = pulumi.ResourceOptions(providers=[provider])
        FrameworkResources("lab", FrameworkResourcesSpec(namespace="vision"), opts=opts)

    made = one(recorded(program), "kubernetes:core/v1:ConfigMap", f"lab-{config_map}")
    assert made.inputs["metadata"] == {"name": config_map, "namespace": "vision"}
    return made.inputs["data"]


def test_every_image_is_pinned() -> None:
    images = data("framework-images")
    assert {"pytorch", "tensorflow", "jax", "ray"} <= set(images)
    assert all(":" in image and not image.endswith(":latest") for image in images.values())


def test_every_size_has_requests_as_large_as_its_limits() -> None:
    sizes = {name: yaml.safe_load(text) for name, text in data("framework-resources").items()}
    assert {"pytorch-small.yaml", "tensorflow-serving.yaml", "jax-research.yaml"} == set(sizes)
    assert all(size["resources"]["requests"] == size["resources"]["limits"] for size in sizes.values())
