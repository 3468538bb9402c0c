"""The namespace of what makes GPUs usable."""

import pulumi_kubernetes as k8s

from eksml import names
from eksml.component import Component


def gpu_namespace(component: Component) -> k8s.core.v1.Namespace:
    """The namespace, as part of a component."""
    return k8s.core.v1.Namespace(
        f"{component.resource_name}-namespace",
        # Privileged: drivers, devices, metrics and the container runtime are the node's.
        metadata={"name": names.GPU_NAMESPACE, "labels": {names.POD_SECURITY_LABEL: "privileged"}},
        opts=component.child(),
    )
