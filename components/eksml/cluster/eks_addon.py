"""One EKS add-on at its pinned version, with the AWS identity that its pods need."""

import json
from collections.abc import Iterator
from typing import Any

import pulumi
import pulumi_aws as aws
from pydantic import Field

from eksml import names
from eksml.catalog import eks_addons, service_account
from eksml.cluster.pod_identity import PodIdentity, PodIdentitySpec
from eksml.component import Component, Tags
from eksml.errors import Problem, nearest
from eksml.spec import Spec

VPC_CNI = "vpc-cni"
EBS_CSI = "aws-ebs-csi-driver"
EFS_CSI = "aws-efs-csi-driver"
FSX_CSI = "aws-fsx-csi-driver"
S3_CSI = "aws-mountpoint-s3-csi-driver"
SECRETS_STORE = "aws-secrets-store-csi-driver-provider"
NODE_MONITORING_AGENT = "eks-node-monitoring-agent"

WITH_CLUSTER = (VPC_CNI, "kube-proxy")
"""What no node works without: made with the cluster, before its nodes."""

NODE_AGENTS = ("eks-pod-identity-agent", NODE_MONITORING_AGENT)
"""DaemonSets only: ready without a node, and every node needs them from its first minute."""

ON_NODES = ("coredns", "metrics-server")
"""What is ready once it runs: made after the first nodes."""


class EksAddonSpec(Spec):
    """An add-on of the catalog, on one Kubernetes version."""

    addon: str
    """Name of the add-on, such as coredns."""
    kubernetes_version: str
    """Kubernetes version of the cluster, by which the catalog pins the add-on's version."""
    configuration: dict[str, Any] = Field(default_factory=dict)
    """Configuration values of the add-on, beside those without which it does not work on GPU nodes."""
    managed_policies: tuple[str, ...] = ()
    """ARNs of AWS managed policies for the add-on's own service account."""

    def rules(self) -> Iterator[Problem]:
        """The catalog knows the add-on, its version, and the service account of an identity."""
        known = eks_addons()
        if self.addon not in known:
            yield Problem(("addon",), f"'{self.addon}' is not in the catalog{nearest(self.addon, known)}")
        elif self.kubernetes_version not in known[self.addon].versions:
            versions = ", ".join(known[self.addon].versions)
            yield Problem(
                ("kubernetesVersion",),
                f"'{self.kubernetes_version}' given, the catalog has {self.addon} for {versions}",
            )
        elif self.managed_policies and not known[self.addon].service_account:
            yield Problem(("managedPolicies",), f"{self.addon} has no service account that calls AWS")


class EksAddon(Component):
    """An EKS add-on; where it calls AWS, its identity is there before its pods.

    Arguments:
        spec: the add-on, its configuration and its policies.
        cluster_name: name of the EKS cluster.
        policy: an IAM policy document as JSON for the add-on's own service account, where no managed policy is narrow
            enough.
        tags: tags for every AWS resource.
    """

    def __init__(
        self,
        name: str,
        spec: EksAddonSpec,
        *,
        cluster_name: pulumi.Input[str],
        policy: pulumi.Input[str] | None = None,
        tags: Tags | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:cluster:EksAddon", name, spec, opts, tags)
        fact = eks_addons()[spec.addon]
        configuration = {**_configuration(spec.addon), **spec.configuration}
        identities = []
        if spec.managed_policies or policy is not None:
            account = service_account(spec.addon)
            identity = PodIdentitySpec(
                namespace=account.namespace, service_account=account.name, managed_policies=spec.managed_policies
            )
            identities.append(
                PodIdentity(
                    name, identity, cluster_name=cluster_name, policy=policy, tags=self.own_tags, opts=self.child()
                )
            )
        aws.eks.Addon(
            name,
            cluster_name=cluster_name,
            addon_name=spec.addon,
            addon_version=fact.versions[spec.kubernetes_version],
            configuration_values=json.dumps(configuration, sort_keys=True) if configuration else None,
            resolve_conflicts_on_create="OVERWRITE",
            resolve_conflicts_on_update="OVERWRITE",
            tags=self.tagged(name),
            opts=self.child(depends_on=identities),
        )
        self.register_outputs({})


def _configuration(addon: str) -> dict[str, Any]:
    if addon != NODE_MONITORING_AGENT:
        return {}
    # Without the toleration its DCGM host engine never starts on a GPU node, and node repair takes healthy nodes away.
    return {
        "dcgmAgent": {
            "tolerations": [names.gpu_toleration()],
            "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        }
    }
