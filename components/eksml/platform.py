"""A whole platform from one Spec. Read this file first.

`PlatformSpec` says what is wanted, `Platform` builds it: network, cluster, nodes, what every cluster needs, GPUs.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple, cast

import pulumi
from pydantic import Field

from eksml import catalog
from eksml.accelerators.device_plugin import DevicePlugin, DevicePluginSpec
from eksml.cluster.eks_addon import EksAddon, EksAddonSpec
from eksml.cluster.existing_cluster import ExistingCluster, ExistingClusterSpec
from eksml.cluster.kubeconfig_cluster import KubeconfigCluster, KubeconfigClusterSpec
from eksml.cluster.new_cluster import NODE_AGENTS, NewCluster, NewClusterSpec, addon_configuration
from eksml.component import Component
from eksml.errors import Problem, SpecError
from eksml.network.existing_vpc import ExistingVpcSpec
from eksml.network.vpc import NatGateways, NewVpcSpec, Vpc
from eksml.nodes.karpenter import Karpenter, KarpenterSpec
from eksml.nodes.karpenter_pool import KarpenterPool, KarpenterPoolSpec
from eksml.nodes.managed_pool import ManagedPool, ManagedPoolSpec
from eksml.nodes.node_role import NodeRole, NodeRoleSpec
from eksml.platform_rules import platform_rules
from eksml.spec import Name, PoolName, Reason, Region, Spec, TagKey, TagValue
from eksml.storage.block_storage import BlockStorage, BlockStorageSpec

_EBS_CSI = "aws-ebs-csi-driver"

Pool = Annotated[ManagedPoolSpec | KarpenterPoolSpec, Field(discriminator="kind")]


class PlatformSpec(Spec):
    """Everything that a stack file can say about a platform."""

    name: Name = "eksml"
    """Name of the platform and of its cluster; in a stack file by default project and stack, joined by a hyphen."""
    region: Region
    """AWS region; in a stack file it is `aws:region`."""
    profile: Literal["research", "production", "startup"] | None = None
    """The profile that these settings are laid over: research, production or startup."""
    tags: dict[TagKey, TagValue] = Field(default_factory=dict)
    """Tags for everything in AWS, beside the platform's own."""
    network: Annotated[NewVpcSpec | ExistingVpcSpec, Field(discriminator="kind")] | None = None
    """Where the cluster lives: a new VPC, or an existing one."""
    cluster: Annotated[NewClusterSpec | ExistingClusterSpec | KubeconfigClusterSpec, Field(discriminator="kind")]
    """The cluster: a new one, an existing one by its name, or any by its kubeconfig."""
    pools: dict[PoolName, Pool] = Field(default_factory=dict)
    """Node pools by name: managed ones of a fixed size, and elastic ones that Karpenter fills."""
    accelerators: DevicePluginSpec | None = None
    """How GPUs become usable in the cluster; null for a cluster without."""
    waivers: dict[str, Reason] = Field(default_factory=dict)
    """What is allowed against advice, each with its reason."""

    def rules(self) -> Iterator[Problem]:
        """What the parts ask of each other."""
        return platform_rules(self)

    @property
    def managed_pools(self) -> dict[str, ManagedPoolSpec]:
        """The managed pools by name."""
        return {name: pool for name, pool in self.pools.items() if isinstance(pool, ManagedPoolSpec)}

    @property
    def system_pools(self) -> dict[str, ManagedPoolSpec]:
        """The managed pools without GPUs by name: the platform's own pods run on them."""
        return {name: pool for name, pool in self.managed_pools.items() if not pool.has_gpus}

    @property
    def karpenter_pools(self) -> dict[str, KarpenterPoolSpec]:
        """The Karpenter pools by name."""
        return {name: pool for name, pool in self.pools.items() if isinstance(pool, KarpenterPoolSpec)}

    @property
    def addons(self) -> tuple[str, ...]:
        """The EKS add-ons that the stack installs."""
        if isinstance(self.cluster, NewClusterSpec):
            return tuple(catalog.eks_addons())
        return self.cluster.addons if isinstance(self.cluster, ExistingClusterSpec) else ()


class _Ground(NamedTuple):
    """What everything else in AWS stands on."""

    network: Vpc | ExistingVpcSpec
    cluster: NewCluster | ExistingCluster
    kubernetes_version: str

    def parts(self) -> list[pulumi.Resource]:
        """Network and cluster, as far as this program makes them."""
        return [part for part in (self.network, self.cluster) if isinstance(part, pulumi.Resource)]


class Platform(Component):
    """A machine-learning platform on EKS.

    Arguments:
        spec: the platform to build.
        kubeconfig: for a cluster by its kubeconfig, that kubeconfig, a secret.

    Attributes:
        exports: what programs that run on this platform need to know of it.
    """

    def __init__(
        self,
        name: str,
        spec: PlatformSpec,
        *,
        kubeconfig: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:platform:Platform", name, spec, opts, _tags(spec))
        self._spec = spec
        if isinstance(spec.cluster, KubeconfigClusterSpec):
            if kubeconfig is None:
                # Without one the provider would take whatever cluster kubectl talks to at the moment.
                raise SpecError(
                    [Problem(("kubeconfig",), "missing: a cluster of kind kubeconfig needs it, as a secret")]
                )
            cluster = KubeconfigCluster(name, spec.cluster, kubeconfig=kubeconfig, opts=self.child())
            self._accelerators(cluster.provider, needs=[])
            self.exports: dict[str, Any] = {"kubeconfig": cluster.kubeconfig}
        else:
            ground = self._ground(spec.cluster)
            system_nodes = self._managed_pools(ground)
            basics = self._basics(ground, system_nodes)
            self._karpenter_pools(ground, needs=basics)
            self._accelerators(ground.cluster.provider, needs=system_nodes)
            self.exports = _exports(spec, ground)
        self.register_outputs(self.exports)

    def _ground(self, cluster_spec: NewClusterSpec | ExistingClusterSpec) -> _Ground:
        name, spec = self.resource_name, self._spec
        if isinstance(spec.network, NewVpcSpec):
            network = Vpc(
                name, spec.network, region=spec.region, cluster_name=name, tags=self.own_tags, opts=self.child()
            )
        else:
            # The rules of PlatformSpec leave nothing else.
            network = cast("ExistingVpcSpec", spec.network)
        if isinstance(cluster_spec, NewClusterSpec):
            cluster = NewCluster(
                name,
                cluster_spec,
                region=spec.region,
                vpc_id=network.vpc_id,
                private_subnets=network.private_subnets,
                public_subnets=network.public_subnets,
                tags=self.own_tags,
                opts=self.child(),
            )
        else:
            cluster = ExistingCluster(name, cluster_spec, region=spec.region, opts=self.child())
        return _Ground(network, cluster, cluster_spec.kubernetes_version)

    def _managed_pools(self, ground: _Ground) -> list[pulumi.Resource]:
        """Makes the managed pools, and returns those that the platform's own pods run on."""
        spec = self._spec
        if not spec.managed_pools:
            return []
        name = f"{self.resource_name}-node"
        role_spec = NodeRoleSpec(region=spec.region, has_network_policy=isinstance(spec.cluster, ExistingClusterSpec))
        role = NodeRole(name, role_spec, tags=self.own_tags, opts=self.child())
        pools = {
            pool: ManagedPool(
                f"{self.resource_name}-{pool}",
                pool_spec,
                pool=pool,
                kubernetes_version=ground.kubernetes_version,
                cluster_name=ground.cluster.cluster_name,
                role_arn=role.arn,
                subnets=ground.network.private_subnets,
                tags=self.own_tags,
                # Nodes without a way out, their agents, or an identity for VPC CNI come up broken.
                opts=self.child(depends_on=[role, *ground.parts()]),
            )
            for pool, pool_spec in spec.managed_pools.items()
        }
        return [pools[pool] for pool in spec.system_pools]

    def _basics(self, ground: _Ground, system_nodes: list[pulumi.Resource]) -> list[pulumi.Resource]:
        """Makes what every cluster needs and only nodes can run: DNS, metrics, block storage."""
        spec, cluster = self._spec, ground.cluster
        inside = self.child(depends_on=system_nodes, providers=[cluster.provider])
        with_cluster = (*NODE_AGENTS, "vpc-cni", "kube-proxy") if isinstance(cluster, NewCluster) else ()
        basics: list[pulumi.Resource] = [
            EksAddon(
                f"{self.resource_name}-{addon}",
                EksAddonSpec(
                    addon=addon, kubernetes_version=ground.kubernetes_version, configuration=addon_configuration(addon)
                ),
                cluster_name=cluster.cluster_name,
                tags=self.own_tags,
                opts=inside,
            )
            for addon in spec.addons
            if addon not in (*with_cluster, _EBS_CSI)
        ]
        if _EBS_CSI in spec.addons:
            storage_spec = BlockStorageSpec(region=spec.region, kubernetes_version=ground.kubernetes_version)
            name = f"{self.resource_name}-storage"
            BlockStorage(name, storage_spec, cluster_name=cluster.cluster_name, tags=self.own_tags, opts=inside)
        return basics

    def _karpenter_pools(self, ground: _Ground, needs: list[pulumi.Resource]) -> None:
        spec, cluster = self._spec, ground.cluster
        if not spec.karpenter_pools:
            return
        karpenter = Karpenter(
            f"{self.resource_name}-karpenter",
            _karpenter_spec(spec),
            cluster_name=cluster.cluster_name,
            cluster_arn=cluster.arn,
            tags=self.own_tags,
            # It asks CoreDNS for the addresses of AWS, also while it drains its last nodes.
            opts=self.child(depends_on=needs, providers=[cluster.provider]),
        )
        for pool, pool_spec in spec.karpenter_pools.items():
            KarpenterPool(
                f"{self.resource_name}-{pool}",
                pool_spec,
                pool=pool,
                cluster_name=cluster.cluster_name,
                instance_profile=karpenter.instance_profile,
                subnets=ground.network.private_subnets,
                tags=self.own_tags,
                opts=self.child(depends_on=[karpenter], providers=[cluster.provider]),
            )

    def _accelerators(self, provider: pulumi.ProviderResource, needs: list[pulumi.Resource]) -> None:
        if self._spec.accelerators:
            name = f"{self.resource_name}-gpus"
            DevicePlugin(name, self._spec.accelerators, opts=self.child(depends_on=needs, providers=[provider]))


def _karpenter_spec(spec: PlatformSpec) -> KarpenterSpec:
    system_nodes = sum(pool.size for pool in spec.system_pools.values())
    joins = isinstance(spec.cluster, ExistingClusterSpec)
    return KarpenterSpec(
        region=spec.region,
        replicas=2 if joins else min(2, system_nodes),
        is_isolated=isinstance(spec.network, NewVpcSpec) and spec.network.nat_gateways is NatGateways.NONE,
        has_network_policy=joins,
    )


def _tags(spec: PlatformSpec) -> dict[str, str]:
    profile = {"eksml:profile": spec.profile} if spec.profile else {}
    return {**spec.tags, "eksml:platform": spec.name, **profile}


def _exports(spec: PlatformSpec, ground: _Ground) -> dict[str, Any]:
    return {
        "profile": spec.profile,
        "region": spec.region,
        "clusterName": ground.cluster.cluster_name,
        "clusterEndpoint": ground.cluster.endpoint,
        "clusterSecurityGroupId": ground.cluster.security_group_id,
        "kubernetesVersion": ground.kubernetes_version,
        # It holds no secret, but it is the door: not for logs.
        "kubeconfig": pulumi.Output.secret(ground.cluster.kubeconfig),
        "vpcId": ground.network.vpc_id,
        "privateSubnets": ground.network.private_subnets,
        "publicSubnets": ground.network.public_subnets,
        "pools": {name: _exported_pool(name, pool) for name, pool in spec.pools.items()},
    }


def _exported_pool(name: str, pool: ManagedPoolSpec | KarpenterPoolSpec) -> dict[str, Any]:
    return {
        "kind": pool.kind,
        "accelerator": pool.accelerator.value,
        "architecture": pool.architecture,
        "instanceTypes": list(pool.instance_types),
        "labels": pool.node_labels(name),
        "taints": pool.node_taints(),
    }
