"""A whole platform from one Spec. Read this file first.

`PlatformSpec` says what is wanted, `Platform` builds it: network, cluster, nodes, what every cluster needs, GPUs.
"""

from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal, NamedTuple, cast

import pulumi
from pydantic import Field

from eksml import catalog
from eksml.accelerators.device_plugin import DcgmHostEngine, DevicePlugin, DevicePluginSpec
from eksml.cluster.eks_addon import EksAddon, EksAddonSpec
from eksml.cluster.existing_cluster import ExistingCluster, ExistingClusterSpec
from eksml.cluster.kubeconfig_cluster import KubeconfigCluster, KubeconfigClusterSpec
from eksml.cluster.new_cluster import NODE_AGENTS, NewCluster, NewClusterSpec, addon_configuration
from eksml.component import Component
from eksml.errors import Problem, SpecError, listed, nearest
from eksml.network.existing_vpc import ExistingVpcSpec
from eksml.network.vpc import NatGateways, NewVpcSpec, Vpc
from eksml.nodes.karpenter import Karpenter, KarpenterSpec
from eksml.nodes.karpenter_pool import KarpenterPool, KarpenterPoolSpec
from eksml.nodes.managed_pool import ManagedPool, ManagedPoolSpec
from eksml.nodes.node_role import NodeRole, NodeRoleSpec
from eksml.spec import Name, PoolName, Reason, Region, Spec, TagKey, TagValue
from eksml.storage.block_storage import BlockStorage, BlockStorageSpec

_EBS_CSI = "aws-ebs-csi-driver"
_NODE_MONITORING = "eks-node-monitoring-agent"

WAIVERS = {"open-public-endpoint": "the API server may be reached from the whole internet"}
"""What a stack file may allow against the advice of this library, given a reason."""

# A wider range is as good as the whole internet, or a piece of it that others complete.
_WIDEST_PUBLIC_RANGE = 8


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
        yield from _cluster_and_network_problems(self)
        yield from _zone_problems(self)
        yield from _address_problems(self)
        yield from _system_pool_problems(self)
        yield from _offering_problems(self)
        yield from _image_problems(self)
        yield from _host_engine_problems(self)
        for key in self.tags:
            if key.lower().startswith("aws:"):
                yield Problem(("tags", key), "AWS keeps tags that begin with aws: to itself")
        for waiver in self.waivers:
            if waiver not in WAIVERS:
                choices = f"must be {listed(WAIVERS)}{nearest(waiver, WAIVERS)}"
                yield Problem(("waivers", waiver), f"there is no such waiver, {choices}")

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


def _cluster_and_network_problems(spec: PlatformSpec) -> Iterator[Problem]:
    match spec.cluster:
        case KubeconfigClusterSpec():
            reason = "a cluster by its kubeconfig is used as it is: set it to null"
            if spec.network is not None:
                yield Problem(("network",), f"given, but {reason}")
            for pool in spec.pools:
                yield Problem(("pools", pool), f"given, but {reason}")
        case ExistingClusterSpec() if not isinstance(spec.network, ExistingVpcSpec):
            yield Problem(("network",), "an existing cluster has a VPC: give its subnets, kind: existing")
        case NewClusterSpec() if spec.network is None:
            yield Problem(("network",), "missing: a new cluster needs a VPC, kind: new or existing")


def _zone_problems(spec: PlatformSpec) -> Iterator[Problem]:
    match spec.network:
        case NewVpcSpec():
            zones = {zone: ("network", "zones", index) for index, zone in enumerate(spec.network.zones)}
        case ExistingVpcSpec():
            zones = {zone: ("network", "privateSubnets", zone) for zone in spec.network.private_subnets}
        case _:
            return
    for zone, path in zones.items():
        if text := _zone_misfit(zone, spec.region):
            yield Problem(path, text)
    for name, pool in spec.pools.items():
        for index, zone in enumerate(pool.zones):
            if zone not in zones:
                yield Problem(
                    ("pools", name, "zones", index), f"'{zone}' is not a zone of the network: {', '.join(zones)}"
                )


def _zone_misfit(zone: str, region_name: str) -> str | None:
    region = catalog.regions().get(region_name)
    is_id = "-az" in zone
    if not is_id and not zone.startswith(region_name):
        return f"'{zone}' is not in {region_name}"
    if region is None:
        return None
    if zone in region.refused_by_eks:
        return f"'{zone}' is refused by EKS, take one of {', '.join(region.default_zones)}"
    if is_id and zone not in region.zones:
        return f"'{zone}' is not in {region_name}, which has {', '.join(region.zones)}"
    if not is_id and region.refused_by_eks:
        refused = ", ".join(region.refused_by_eks)
        choices = ", ".join(region.default_zones)
        return (
            f"'{zone}' may be {refused}, which EKS refuses (names differ per account): give zone ids, such as {choices}"
        )
    return None


def _address_problems(spec: PlatformSpec) -> Iterator[Problem]:
    if not isinstance(spec.cluster, NewClusterSpec):
        return
    for index, cidr in enumerate(spec.cluster.public_access_cidrs):
        network = _network_or_none(cidr)
        if network and network.prefixlen < _WIDEST_PUBLIC_RANGE and "open-public-endpoint" not in spec.waivers:
            yield Problem(
                ("cluster", "publicAccessCidrs", index),
                f"'{cidr}' opens the API server to the internet: give your own ranges, or say why under "
                "waivers.open-public-endpoint",
            )
    vpc = _network_or_none(spec.network.cidr) if isinstance(spec.network, NewVpcSpec) else None
    services = _network_or_none(spec.cluster.service_cidr)
    if vpc and services and vpc.overlaps(services):
        yield Problem(
            ("cluster", "serviceCidr"), f"'{services}' overlaps the VPC's {vpc}: services need a range of their own"
        )


def _network_or_none(cidr: str | None) -> IPv4Network | None:
    try:
        return IPv4Network(cidr) if cidr else None
    except ValueError:
        return None


def _system_pool_problems(spec: PlatformSpec) -> Iterator[Problem]:
    if isinstance(spec.cluster, NewClusterSpec) and not any(pool.size for pool in spec.system_pools.values()):
        reason = "CoreDNS, Karpenter and other pods of the platform need nodes without GPUs"
        yield Problem(("pools",), f"no managed pool with accelerator: none and a size of at least 1: {reason}")


def _offering_problems(spec: PlatformSpec) -> Iterator[Problem]:
    if spec.region not in catalog.priced_regions():
        return
    for name, pool in spec.pools.items():
        for index, instance_type in enumerate(pool.instance_types):
            fact = catalog.instance_types().get(instance_type)
            if fact and spec.region not in fact.regions:
                offered = f"it is in {', '.join(fact.regions)}" if fact.regions else "no region of the catalog has it"
                path = ("pools", name, "instanceTypes", index)
                yield Problem(path, f"EC2 does not offer {instance_type} in {spec.region}: {offered}")


def _image_problems(spec: PlatformSpec) -> Iterator[Problem]:
    for name, pool in spec.pools.items():
        if not pool.facts:
            continue
        for workload, image, architectures in _images_on(spec, pool.has_gpus):
            if pool.architecture not in architectures:
                yield Problem(
                    ("pools", name, "instanceTypes"),
                    f"its nodes are {pool.architecture}, but {workload} must run on them and {image} is built for "
                    f"{listed(architectures)} only",
                )


def _images_on(spec: PlatformSpec, has_gpus: bool) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """The workloads that run on every node of a pool, with their image and what it is known to be built for."""
    meant = ("all", "gpu") if has_gpus else ("all",)
    for addon in spec.addons:
        fact = catalog.eks_addons()[addon]
        for workload in fact.workloads:
            if workload.nodes in meant and workload.architectures:
                yield workload.name, f"add-on {addon}", workload.architectures
    for chart in ("nvidia-device-plugin", "dcgm-exporter") if spec.accelerators else ():
        for workload in catalog.charts()[chart].workloads:
            image = catalog.images()[workload.image]
            if workload.nodes in meant and image.architectures:
                yield workload.name, f"{image.repository}:{image.tag}", image.architectures


def _host_engine_problems(spec: PlatformSpec) -> Iterator[Problem]:
    if spec.accelerators is None:
        return
    path = ("accelerators", "dcgmHostEngine")
    if _NODE_MONITORING in spec.addons:
        if spec.accelerators.dcgm_host_engine is DcgmHostEngine.EXPORTER:
            reason = (
                "the node monitoring agent of this stack runs one too, and two make node repair take healthy nodes away"
            )
            yield Problem(path, f"exporter given, must be nodeMonitoringAgent: {reason}")
    elif "dcgm_host_engine" not in spec.accelerators.model_fields_set:
        yield Problem(
            path,
            "missing: give nodeMonitoringAgent if the cluster has EKS's node monitoring agent, or else exporter",
        )
