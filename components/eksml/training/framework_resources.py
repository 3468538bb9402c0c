"""The images of the frameworks and sizes of pods as two ConfigMaps, for tools and manifests of one's own."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as k8s
import yaml

from eksml import names
from eksml.catalog import Framework, PodSize, frameworks, images
from eksml.component import Component
from eksml.spec import Namespace, Spec


class FrameworkResourcesSpec(Spec):
    """Where the ConfigMaps lie."""

    namespace: Namespace
    """The namespace, such as a team's."""


class FrameworkResources(Component):
    """ConfigMaps `framework-images` and `framework-resources`, made from the catalog.

    Arguments:
        spec: where they lie.
    """

    def __init__(self, name: str, spec: FrameworkResourcesSpec, *, opts: pulumi.ResourceOptions | None = None):
        super().__init__("eksml:training:FrameworkResources", name, spec, opts)
        contents = {"framework-images": _images(), "framework-resources": _resources()}
        for config_map, data in contents.items():
            metadata = k8s.meta.v1.ObjectMetaArgs(name=config_map, namespace=spec.namespace)
            k8s.core.v1.ConfigMap(f"{name}-{config_map}", metadata=metadata, data=data, opts=self.child())
        self.register_outputs({})


def _images() -> dict[str, str]:
    return {name: images()[each.image].reference for name, each in frameworks().items() if each.image}


def _resources() -> dict[str, str]:
    return {
        f"{name}-{size}.yaml": _resources_of(pod_size)
        for name, framework in frameworks().items()
        for size, pod_size in _sizes(framework).items()
    }


def _sizes(framework: Framework) -> dict[str, PodSize]:
    return dict(sorted(framework.pod_sizes.items()))


def _resources_of(size: PodSize) -> str:
    amounts = {"cpu": str(size.cpus), "memory": f"{size.memory_gib}Gi"}
    if size.gpus:
        amounts[names.GPU_RESOURCE] = str(size.gpus)
    # Requests equal to limits: a pod that may use more than it asks for is the first to go when memory is short.
    return yaml.safe_dump({"resources": {"requests": amounts, "limits": dict(amounts)}}, sort_keys=False)
