"""Any Kubernetes cluster, by its kubeconfig: for the components that live inside a cluster, and nothing in AWS."""

from typing import Literal

import pulumi
import pulumi_kubernetes as k8s

from eksml.component import Component
from eksml.spec import Spec


class KubeconfigClusterSpec(Spec):
    """A cluster by its kubeconfig, which is a secret: `pulumi config set --secret eksml:kubeconfig`."""

    kind: Literal["kubeconfig"] = "kubeconfig"
    context: str | None = None
    """Context of the kubeconfig to use, by default its current one."""
    identifier: str
    """A name for the cluster that never changes, so that a new kubeconfig does not replace everything in it."""


class KubeconfigCluster(Component):
    """A Kubernetes provider for a cluster that somebody else runs.

    Arguments:
        spec: which context of the kubeconfig.
        kubeconfig: the kubeconfig, a secret.

    Attributes:
        kubeconfig: the same, marked as a secret.
        provider: the Kubernetes provider for everything inside the cluster.
    """

    def __init__(
        self,
        name: str,
        spec: KubeconfigClusterSpec,
        *,
        kubeconfig: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:cluster:KubeconfigCluster", name, spec, opts)
        self.kubeconfig: pulumi.Output[str] = pulumi.Output.secret(kubeconfig)
        self.provider = k8s.Provider(
            f"{name}-kubernetes",
            kubeconfig=self.kubeconfig,
            context=spec.context,
            cluster_identifier=spec.identifier,
            opts=self.child(),
        )
        self.register_outputs({})
