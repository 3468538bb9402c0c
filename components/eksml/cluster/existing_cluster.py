"""An EKS cluster that exists already, by its name: pools, identities, add-ons and components can be added to it."""

import json
from collections.abc import Iterator
from typing import Any, Literal

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s

from eksml.catalog import usable_kubernetes_versions
from eksml.component import Component
from eksml.errors import Problem, repetitions
from eksml.spec import ClusterName, PrincipalArn, Spec

AddableAddon = Literal["aws-ebs-csi-driver", "eks-node-monitoring-agent", "eks-pod-identity-agent", "metrics-server"]


class ExistingClusterSpec(Spec):
    """An EKS cluster by its name. It and what it has stay as they are; what the stack adds is the stack's to remove."""

    kind: Literal["existing"] = "existing"
    name: ClusterName
    """Name of the cluster in AWS."""
    kubernetes_version: str
    """Kubernetes version of the cluster, in quotes; it decides the versions of node images and add-ons."""
    addons: tuple[AddableAddon, ...] = ()
    """EKS add-ons to install, of those that the cluster does not have yet; what it has must not be listed."""
    access_role_arn: PrincipalArn | None = None
    """ARN of the IAM role that Pulumi and kubectl take on to reach the API server; by default that of `pulumi up`."""

    def rules(self) -> Iterator[Problem]:
        """The catalog has the add-ons of this Kubernetes version."""
        yield from repetitions(("addons",), self.addons)
        usable = usable_kubernetes_versions()
        if self.kubernetes_version not in usable:
            choices = f"the catalog has the add-ons of {', '.join(usable)}"
            yield Problem(("kubernetesVersion",), f"'{self.kubernetes_version}' given: {choices}")


class ExistingCluster(Component):
    """A way into an EKS cluster that exists: what its name alone tells about it, and a Kubernetes provider.

    Arguments:
        spec: the cluster.
        region: the AWS region.

    Attributes: as those of NewCluster.
    """

    def __init__(
        self,
        name: str,
        spec: ExistingClusterSpec,
        *,
        region: str,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:cluster:ExistingCluster", name, spec, opts)
        found = aws.eks.get_cluster_output(name=spec.name, opts=pulumi.InvokeOutputOptions(parent=self))
        self.kubernetes_version = spec.kubernetes_version
        self.cluster_name: pulumi.Output[str] = found.name
        self.arn: pulumi.Output[str] = found.arn
        self.endpoint: pulumi.Output[str] = found.endpoint
        self.security_group_id: pulumi.Output[str] = found.vpc_config.cluster_security_group_id
        certificate = found.certificate_authorities[0].data
        self.kubeconfig = pulumi.Output.all(found.endpoint, certificate).apply(
            lambda values: json.dumps(_kubeconfig(spec, region, *values))
        )
        self.provider = k8s.Provider(
            f"{name}-kubernetes", kubeconfig=self.kubeconfig, cluster_identifier=spec.name, opts=self.child()
        )
        self.register_outputs({"clusterName": self.cluster_name, "endpoint": self.endpoint})


def _kubeconfig(spec: ExistingClusterSpec, region: str, endpoint: str, certificate: str) -> dict[str, Any]:
    arguments = ["--region", region, "eks", "get-token", "--cluster-name", spec.name, "--output", "json"]
    if spec.access_role_arn:
        arguments += ["--role", spec.access_role_arn]
    token = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "aws", "args": arguments}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": spec.name, "cluster": {"server": endpoint, "certificate-authority-data": certificate}}],
        "users": [{"name": "aws", "user": {"exec": token}}],
        "contexts": [{"name": spec.name, "context": {"cluster": spec.name, "user": "aws"}}],
        "current-context": spec.name,
    }
