"""A new EKS cluster: private endpoint, encrypted secrets, control-plane logs, network policy, and its node agents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Annotated, Literal

import pulumi
import pulumi_aws as aws
import pulumi_eks as eks
import pulumi_kubernetes as k8s
from pydantic import Field

from eksml import catalog, names
from eksml.addresses import LINK_LOCAL
from eksml.cluster.eks_addon import NODE_AGENTS, VPC_CNI, EksAddon, EksAddonSpec
from eksml.cluster.pod_identity import PodIdentity, PodIdentitySpec
from eksml.component import Component, Tags
from eksml.errors import Problem, repetitions
from eksml.spec import Cidr, Flag, KeyArn, PrincipalArn, Spec

LogType = Literal["api", "audit", "authenticator", "controllerManager", "scheduler"]
RetentionDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]

_SERVICE_RANGES = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
_PRIVATE_RANGES = (*_SERVICE_RANGES, "100.64.0.0/10", "127.0.0.0/8", LINK_LOCAL)

# EKS needs two, and a control plane can never get a subnet in a further zone.
# https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html
_CONTROL_PLANE_ZONES = 2


class UpgradePolicy(StrEnum):
    """What happens when a Kubernetes version leaves standard support."""

    STANDARD = "standard"
    """EKS upgrades the cluster to the next version by itself."""
    EXTENDED = "extended"
    """The version stays, at six times the price of the control plane."""


class NewClusterSpec(Spec):
    """A cluster of its own for the platform."""

    kind: Literal["new"] = "new"
    kubernetes_version: str = Field(default_factory=catalog.default_kubernetes_version)
    """Kubernetes version, in quotes; by default the newest that the catalog has every add-on for."""
    upgrade_policy: UpgradePolicy = UpgradePolicy.STANDARD
    """What happens at the end of standard support: standard (EKS upgrades) or extended (it stays, and costs more)."""
    public_access_cidrs: Annotated[tuple[Cidr, ...], Field(max_length=40)] = ()
    """IPv4 ranges that may reach the API server from the internet; none: it is reachable from the VPC only."""
    service_cidr: Cidr | None = None
    """IPv4 range of Kubernetes services, outside the VPC; by default EKS takes 10.100.0.0/16 or 172.20.0.0/16."""
    administrators: tuple[PrincipalArn, ...] = ()
    """ARNs of IAM roles and users that administer the cluster, beside the one that makes it."""
    access_role_arn: PrincipalArn | None = None
    """ARN of the IAM role that Pulumi and kubectl take on to reach the API server; by default that of `pulumi up`."""
    secrets_key_arn: KeyArn | None = None
    """ARN of the KMS key that encrypts Kubernetes secrets; by default a key of the cluster's own."""
    log_types: tuple[LogType, ...] = ("api", "audit", "authenticator", "controllerManager", "scheduler")
    """Control-plane logs to keep in CloudWatch."""
    log_retention_days: RetentionDays = 30
    """Days to keep them, one of the periods that CloudWatch has."""
    deletion_protection: Flag = False
    """Whether Pulumi refuses to destroy anything, and AWS to delete the cluster, until this is false and applied."""

    def rules(self) -> Iterator[Problem]:
        """EKS's limits on versions, ranges and principals."""
        if "kubernetes_version" in self.model_fields_set:
            # The default grows old by itself; a note says so, and a platform that exists can still be changed.
            yield from version_problems(self.kubernetes_version, self.upgrade_policy, catalog.today())
        yield from _service_cidr_problems(self.service_cidr)
        if self.access_role_arn and self.access_role_arn not in self.administrators:
            yield Problem(("accessRoleArn",), "must be one of administrators too, or the API server refuses it")
        yield from _public_access_problems(self.public_access_cidrs)
        yield from repetitions(("publicAccessCidrs",), self.public_access_cidrs)
        yield from repetitions(("administrators",), self.administrators)
        yield from repetitions(("logTypes",), self.log_types)


class NewCluster(Component):
    """An EKS cluster whose API server is always reachable from its VPC, and from elsewhere only where the Spec says so.

    Its name in AWS is the name of the component. It comes with VPC CNI (network policies enforced), kube-proxy, the Pod
    Identity agent and the node monitoring agent; CoreDNS and whatever else needs nodes comes after the first pool. The
    deploying machine needs the `aws` command, version 2.

    Arguments:
        spec: the cluster to build.
        region: the AWS region.
        vpc_id: id of the VPC.
        private_subnets: private subnet ids by zone. The control plane's interfaces go to the first two of them, which
            must stay; others can come and go.
        tags: tags for every AWS resource.

    Attributes:
        kubernetes_version, cluster_name, arn, endpoint, security_group_id: of the cluster.
        kubeconfig: a kubeconfig without a secret in it, as JSON.
        provider: the Kubernetes provider for everything inside the cluster.
    """

    def __init__(
        self,
        name: str,
        spec: NewClusterSpec,
        *,
        region: str,
        vpc_id: pulumi.Input[str],
        private_subnets: Mapping[str, pulumi.Input[str]],
        tags: Tags | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:cluster:NewCluster", name, spec, opts, tags)
        cluster = eks.Cluster(
            name,
            name=name,
            version=spec.kubernetes_version,
            upgrade_policy={"support_type": spec.upgrade_policy.upper()},
            vpc_id=vpc_id,
            private_subnet_ids=list(private_subnets.values())[:_CONTROL_PLANE_ZONES],
            kubernetes_service_ip_address_range=spec.service_cidr,
            endpoint_private_access=True,
            endpoint_public_access=bool(spec.public_access_cidrs),
            public_access_cidrs=list(spec.public_access_cidrs) or None,
            authentication_mode=eks.AuthenticationMode.API,
            access_entries=_access_entries(spec, region),
            provider_credential_opts=eks.KubeconfigOptionsArgs(role_arn=spec.access_role_arn)
            if spec.access_role_arn
            else None,
            encryption_config_key_arn=spec.secrets_key_arn or self._secrets_key(spec),
            enabled_cluster_log_types=list(spec.log_types),
            deletion_protection=spec.deletion_protection,
            skip_default_node_group=True,
            # EKS makes a security group of its own for nodes and control plane; a second pair would only add rules.
            skip_default_security_groups=True,
            bootstrap_self_managed_addons=False,
            coredns_addon_options={"enabled": False},
            kube_proxy_addon_options={"version": _addon_version("kube-proxy", spec)},
            vpc_cni_options={"addon_version": _addon_version("vpc-cni", spec), "enable_network_policy": True},
            tags=self.own_tags,
            opts=self.child(depends_on=[self._log_group(spec)], protect=spec.deletion_protection),
        )
        self.kubernetes_version = spec.kubernetes_version
        self.cluster_name: pulumi.Output[str] = cluster.eks_cluster.apply(lambda _: name)
        self.arn: pulumi.Output[str] = cluster.eks_cluster.apply(_read("arn"))
        self.endpoint: pulumi.Output[str] = cluster.eks_cluster.apply(_read("endpoint"))
        self.security_group_id: pulumi.Output[str] = cluster.cluster_security_group_id
        self.kubeconfig: pulumi.Output[str] = cluster.kubeconfig_json
        self._network_identity(region)
        self._node_agents(spec)
        self.provider = k8s.Provider(
            f"{name}-kubernetes",
            kubeconfig=self.kubeconfig,
            # By its name, so that a changed endpoint or certificate does not replace everything in the cluster.
            cluster_identifier=name,
            opts=self.child(),
        )
        self.register_outputs({"clusterName": self.cluster_name, "endpoint": self.endpoint})

    def _secrets_key(self, spec: NewClusterSpec) -> pulumi.Output[str]:
        name = f"{self.resource_name}-secrets"
        key = aws.kms.Key(
            name,
            description=f"Kubernetes secrets of {self.resource_name}",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            tags=self.tagged(name),
            opts=self.child(protect=spec.deletion_protection),
        )
        return key.arn

    def _log_group(self, spec: NewClusterSpec) -> aws.cloudwatch.LogGroup:
        # EKS would make this group by itself, keep it for ever, and leave it behind on destroy.
        return aws.cloudwatch.LogGroup(
            f"{self.resource_name}-control-plane",
            name=f"/aws/eks/{self.resource_name}/cluster",
            retention_in_days=spec.log_retention_days,
            tags=self.tagged(f"{self.resource_name}-control-plane"),
            opts=self.child(protect=spec.deletion_protection),
        )

    def _network_identity(self, region: str) -> None:
        # For VPC CNI alone, so that node roles need not have its permissions for every pod on the node.
        policy = catalog.managed_policy_arn(region, "AmazonEKS_CNI_Policy")
        account = catalog.service_account(VPC_CNI)
        spec = PodIdentitySpec(namespace=account.namespace, service_account=account.name, managed_policies=(policy,))
        name = f"{self.resource_name}-vpc-cni"
        PodIdentity(name, spec, cluster_name=self.cluster_name, tags=self.own_tags, opts=self.child())

    def _node_agents(self, spec: NewClusterSpec) -> None:
        for addon in NODE_AGENTS:
            EksAddon(
                f"{self.resource_name}-{addon}",
                EksAddonSpec(addon=addon, kubernetes_version=spec.kubernetes_version),
                cluster_name=self.cluster_name,
                tags=self.own_tags,
                opts=self.child(),
            )


def version_problems(version: str, policy: UpgradePolicy, day: date) -> Iterator[Problem]:
    """Whether a Kubernetes version can be had on a day: EKS supports it, and the catalog has its add-ons."""
    known = catalog.kubernetes_versions()
    usable = catalog.usable_kubernetes_versions()
    choices = f"the catalog has the add-ons of {', '.join(usable)}"
    fact = known.get(version)
    if version not in usable:
        end = fact.standard_support_ends if fact else None
        ended = f"standard support ended on {end}; " if end and end < day else ""
        yield Problem(("kubernetesVersion",), f"'{version}' given: {ended}{choices}")
    elif fact and fact.extended_support_ends and fact.extended_support_ends < day:
        yield Problem(
            ("kubernetesVersion",), f"'{version}' given: EKS ended its support on {fact.extended_support_ends}"
        )
    elif fact and fact.standard_support_ends and fact.standard_support_ends < day and policy is UpgradePolicy.STANDARD:
        yield Problem(
            ("kubernetesVersion",),
            f"'{version}' given: standard support ended on {fact.standard_support_ends}; take a newer one, "
            "or upgradePolicy: extended at six times the price",
        )


def _public_access_problems(cidrs: tuple[str, ...]) -> Iterator[Problem]:
    for index, cidr in enumerate(cidrs):
        if any(IPv4Network(cidr).subnet_of(IPv4Network(private)) for private in _PRIVATE_RANGES):
            reason = "EKS takes public addresses only; from its VPC the API server is reachable anyway"
            yield Problem(("publicAccessCidrs", index), f"'{cidr}' is a private range: {reason}")


def _service_cidr_problems(cidr: str | None) -> Iterator[Problem]:
    if cidr is None:
        return
    network = IPv4Network(cidr)
    if not 12 <= network.prefixlen <= 24:
        yield Problem(("serviceCidr",), f"/{network.prefixlen} given, must be from /12 to /24")
    if not any(network.subnet_of(IPv4Network(private)) for private in _SERVICE_RANGES):
        yield Problem(("serviceCidr",), f"'{cidr}' given, must lie within one of {', '.join(_SERVICE_RANGES)}")


def _access_entries(spec: NewClusterSpec, region: str) -> dict[str, eks.AccessEntryArgs]:
    policy = f"arn:{catalog.partition(region)}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    # Named by the principal: a list that is reordered or shortened must not move an entry to another name, for the new
    # one would be made before the old one is gone, and a principal can have only one.
    return {
        f"administrator-{names.short_hash(arn)}": eks.AccessEntryArgs(
            principal_arn=arn,
            access_policies={
                "administrator": eks.AccessPolicyAssociationArgs(
                    policy_arn=policy,
                    access_scope=aws.eks.AccessPolicyAssociationAccessScopeArgs(type="cluster"),
                )
            },
        )
        for arn in spec.administrators
    }


def _read(output: str) -> Callable[[aws.eks.Cluster | None], pulumi.Output[str]]:
    # Mocks that only echo inputs, as most unit tests have them, know no inner cluster.
    return lambda cluster: pulumi.Output.from_input("") if cluster is None else getattr(cluster, output)


def _addon_version(addon: str, spec: NewClusterSpec) -> str:
    return catalog.eks_addons()[addon].versions[spec.kubernetes_version]
