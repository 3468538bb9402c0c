"""AWS's EFA device plugin: it tells Kubernetes which EFA interfaces a node has, and hands them to pods."""

import pulumi

from eksml import names
from eksml.catalog import eks_image_registry, images
from eksml.component import Component
from eksml.spec import Region, Spec


class EfaDevicePluginSpec(Spec):
    """The EFA device plugin."""

    region: Region
    """AWS region, by which the registry of its image is named."""


class EfaDevicePlugin(Component):
    """The EFA device plugin on every node that has EFA, by the label eksml.dev/efa.

    Arguments:
        spec: the region.
        image_registry: a registry that image and chart come from, instead of their own.
    """

    def __init__(
        self,
        name: str,
        spec: EfaDevicePluginSpec,
        *,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:accelerators:EfaDevicePlugin", name, spec, opts, image_registry=image_registry)
        values = {
            "image": {
                "repository": f"{eks_image_registry(spec.region)}/eks/aws-efa-k8s-device-plugin",
                "tag": images()["efa-device-plugin"].tag,
            },
            "nodeSelector": {names.EFA_LABEL: names.EFA_LABEL_VALUE},
            "tolerations": [names.gpu_toleration()],
            "resources": {"requests": {"cpu": "10m", "memory": "20Mi"}, "limits": {"memory": "64Mi"}},
        }
        self.helm_release("aws-efa-k8s-device-plugin", values)
        self.register_outputs({})
