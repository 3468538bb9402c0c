"""The nodes of a platform: its pools, and what only nodes can run."""

from __future__ import annotations

from typing import NamedTuple

import pulumi

from eksml.cluster.eks_addon import (
    EBS_CSI,
    EksAddon,
    EksAddonSpec,
)
from eksml.cluster.existing_cluster import ExistingCluster, ExistingClusterSpec
from eksml.cluster.new_cluster import NewCluster
from eksml.component import Component
from eksml.network.existing_vpc import ExistingVpcSpec
from eksml.network.vpc import NatGateways, NewVpcSpec, Vpc
from eksml.nodes.karpenter import Karpenter, KarpenterSpec
from eksml.nodes.karpenter_pool import KarpenterPool
from eksml.nodes.managed_pool import ManagedPool
from eksml.nodes.node_role import NodeRole, NodeRoleSpec
from eksml.platform_settings import PlatformSpec
from eksml.storage.block_storage import BlockStorage, BlockStorageSpec


class Nodes(NamedTuple):
    """What pods run on, for what must come after it."""

    system: list[pulumi.Resource]
    """The pools that the platform's own pods run on."""
    managed: dict[str, ManagedPool]
    """The managed pools by name, those too that have GPUs."""
    with_volumes: list[pulumi.Resource]
    """Those, and the add-ons that run on them, such as the driver of volumes."""
    everything: list[pulumi.Resource]
    """All pools, and the add-ons that run on them."""


def make_nodes(
    platform: Component, spec: PlatformSpec, cluster: NewCluster | ExistingCluster, network: Vpc | ExistingVpcSpec
) -> Nodes:
    """Makes the pools and what only nodes can run."""
    managed = _managed_pools(platform, spec, cluster, network)
    system: list[pulumi.Resource] = [managed[pool] for pool in spec.system_pools]
    addons = _addons(platform, spec, cluster, system)
    karpenter = _karpenter_pools(platform, spec, cluster, network, needs=addons)
    return Nodes(system, managed, [*system, *addons], [*system, *addons, *karpenter])


def _managed_pools(
    platform: Component, spec: PlatformSpec, cluster: NewCluster | ExistingCluster, network: Vpc | ExistingVpcSpec
) -> dict[str, ManagedPool]:
    if not spec.managed_pools:
        return {}
    name = f"{platform.resource_name}-node"
    role_spec = NodeRoleSpec(region=spec.region, has_vpc_cni_policy=isinstance(cluster, ExistingCluster))
    role = NodeRole(name, role_spec, tags=platform.own_tags, opts=platform.child())
    # Nodes without a way out, their agents, or an identity for VPC CNI come up broken.
    needs = [part for part in (role, network, cluster) if isinstance(part, pulumi.Resource)]
    return {
        pool: ManagedPool(
            f"{platform.resource_name}-{pool}",
            pool_spec,
            pool=pool,
            kubernetes_version=cluster.kubernetes_version,
            cluster_name=cluster.cluster_name,
            role_arn=role.arn,
            subnets=network.private_subnets,
            security_group_id=cluster.security_group_id,
            tags=platform.own_tags,
            opts=platform.child(depends_on=needs),
        )
        for pool, pool_spec in spec.managed_pools.items()
    }


def _addons(
    platform: Component, spec: PlatformSpec, cluster: NewCluster | ExistingCluster, system_pools: list[pulumi.Resource]
) -> list[pulumi.Resource]:
    """Makes the add-ons that run on nodes: DNS, metrics, block storage."""
    inside = platform.child(depends_on=system_pools, providers=[cluster.provider])
    made: list[pulumi.Resource] = [
        EksAddon(
            f"{platform.resource_name}-{addon}",
            EksAddonSpec(addon=addon, kubernetes_version=cluster.kubernetes_version),
            cluster_name=cluster.cluster_name,
            tags=platform.own_tags,
            opts=inside,
        )
        for addon in spec.platform_addons
    ]
    if EBS_CSI in spec.addons:
        storage_spec = BlockStorageSpec(region=spec.region, kubernetes_version=cluster.kubernetes_version)
        name = f"{platform.resource_name}-storage"
        made.append(
            BlockStorage(name, storage_spec, cluster_name=cluster.cluster_name, tags=platform.own_tags, opts=inside)
        )
    return made


def _karpenter_pools(
    platform: Component,
    spec: PlatformSpec,
    cluster: NewCluster | ExistingCluster,
    network: Vpc | ExistingVpcSpec,
    needs: list[pulumi.Resource],
) -> list[pulumi.Resource]:
    if not spec.karpenter_pools:
        return []
    karpenter = Karpenter(
        f"{platform.resource_name}-karpenter",
        _karpenter_spec(spec),
        cluster_name=cluster.cluster_name,
        cluster_arn=cluster.arn,
        tags=platform.own_tags,
        image_registry=spec.image_registry,
        # It asks CoreDNS for the addresses of AWS, also while it drains its last nodes.
        opts=platform.child(depends_on=needs, providers=[cluster.provider]),
    )
    return [
        KarpenterPool(
            f"{platform.resource_name}-{pool}",
            pool_spec,
            pool=pool,
            cluster_name=cluster.cluster_name,
            instance_profile=karpenter.instance_profile,
            subnets=network.private_subnets,
            tags=platform.own_tags,
            opts=platform.child(depends_on=[karpenter], providers=[cluster.provider]),
        )
        for pool, pool_spec in spec.karpenter_pools.items()
    ]


def _karpenter_spec(spec: PlatformSpec) -> KarpenterSpec:
    system_nodes = sum(pool.size for pool in spec.system_pools.values())
    joins_existing_cluster = isinstance(spec.cluster, ExistingClusterSpec)
    return KarpenterSpec(
        region=spec.region,
        replicas=2 if joins_existing_cluster else min(2, system_nodes),
        is_isolated=isinstance(spec.network, NewVpcSpec) and spec.network.nat_gateways is NatGateways.NONE,
        has_vpc_cni_policy=joins_existing_cluster,
    )
