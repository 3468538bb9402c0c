"""A Karpenter pool: nodes that come when pods need them and go when they do not."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Literal

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s

from eksml import names
from eksml.catalog import ami_families
from eksml.component import Component, Tags
from eksml.errors import Problem, repetitions
from eksml.nodes.pool import PoolSpec
from eksml.nodes.sharing import shares
from eksml.spec import PositiveCount, ReservationId


class CapacityType(StrEnum):
    """How EC2 provides a node. Karpenter takes reserved before spot, and spot before on demand."""

    SPOT = "spot"
    """Cheaper, and taken away at two minutes' notice."""
    ON_DEMAND = "onDemand"
    """There whenever EC2 has capacity, at the list price."""


class Consolidation(StrEnum):
    """When Karpenter may take a node away to save money."""

    WHEN_EMPTY = "whenEmpty"
    """Only once no pod runs on it: training is never moved."""
    WHEN_EMPTY_OR_UNDERUTILIZED = "whenEmptyOrUnderutilized"
    """Also when its pods fit elsewhere: they are evicted and start again."""


class KarpenterPoolSpec(PoolSpec):
    """A pool that grows from nothing up to its limit, and shrinks again."""

    kind: Literal["karpenter"] = "karpenter"
    capacity_types: tuple[CapacityType, ...] = (CapacityType.ON_DEMAND,)
    """Spot, onDemand or both; where both are allowed, spot comes first."""
    reservation_ids: tuple[ReservationId, ...] = ()
    """Ids of capacity reservations, which come before spot and on demand."""
    gpu_limit: PositiveCount | None = None
    """Most GPUs that the pool may have at once; a Karpenter pool of GPUs always has a limit."""
    cpu_limit: PositiveCount | None = None
    """Most vCPUs that the pool may have at once; a Karpenter pool without GPUs always has this limit."""
    consolidation: Consolidation = Consolidation.WHEN_EMPTY
    """When a node may go to save money: whenEmpty, or whenEmptyOrUnderutilized."""
    consolidate_after_minutes: PositiveCount = 10
    """Minutes without a change on a node before it may go."""
    expire_after_hours: PositiveCount = 720
    """Hours after which a node is replaced; it waits for pods that must not be disrupted, for two minutes with spot."""

    def rules(self) -> Iterator[Problem]:
        """A limit that lets at least one node in, and capacity of some kind."""
        yield from super().rules()
        yield from _limit_problems(self)
        if not self.capacity_types and not self.reservation_ids:
            yield Problem(("capacityTypes",), "empty, needs spot or onDemand, or reservationIds")
        yield from repetitions(("capacityTypes",), self.capacity_types)
        yield from repetitions(("reservationIds",), self.reservation_ids)
        if self.placement_group and self.reservation_ids:
            yield Problem(("placementGroup",), "given, but a reservation has a place of its own")
        if set(self.capacity_types) == {CapacityType.SPOT} and not any(fact.spot is not False for fact in self.facts):
            yield Problem(
                ("capacityTypes",), "spot alone, but none of the instance types is sold as spot: add onDemand"
            )


class KarpenterPool(Component):
    """A NodePool and its EC2NodeClass.

    On destroy the NodePool goes first and waits until its nodes are drained and gone; it must therefore depend on the
    controller, which does that.

    Arguments:
        spec: the pool.
        pool: the pool's name, by which workloads choose it, and the name of both objects.
        cluster_name: name of the EKS cluster, by which its security group is found.
        instance_profile: name of the instance profile of the nodes.
        subnets: the network's private subnet ids by zone.
        tags: tags for instances and disks.
    """

    def __init__(
        self,
        name: str,
        spec: KarpenterPoolSpec,
        *,
        pool: str,
        cluster_name: pulumi.Input[str],
        instance_profile: pulumi.Input[str],
        subnets: Mapping[str, pulumi.Input[str]],
        tags: Tags | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:nodes:KarpenterPool", name, spec, opts, tags)
        node_class = k8s.apiextensions.CustomResource(
            f"{name}-class",
            api_version="karpenter.k8s.aws/v1",
            kind="EC2NodeClass",
            metadata={"name": pool},
            spec={
                "amiSelectorTerms": [{"alias": ami_families()[spec.ami_family].karpenter_alias}],
                "instanceProfile": instance_profile,
                "subnetSelectorTerms": [{"id": subnet} for subnet in spec.subnets_of(subnets)],
                "securityGroupSelectorTerms": [{"tags": {names.CLUSTER_NAME_TAG: cluster_name}}],
                "associatePublicIPAddress": False,
                "metadataOptions": {"httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 1},
                "blockDeviceMappings": [_volume(device, gib) for device, gib in spec.disks.items()],
                "tags": self.tagged(name),
                **({"instanceStorePolicy": "RAID0"} if spec.has_instance_store else {}),
                **({"userData": spec.bottlerocket_settings} if spec.bottlerocket_settings else {}),
                **({"networkInterfaces": _network_interfaces(spec)} if spec.efa else {}),
                **({"placementGroupSelector": {"name": self._placement_group()}} if spec.placement_group else {}),
                **_reservations(spec),
            },
            opts=self.child(),
        )
        overlays = self._overlays(spec, pool)
        k8s.apiextensions.CustomResource(
            name,
            api_version="karpenter.sh/v1",
            kind="NodePool",
            metadata={
                "name": pool,
                # Foreground: the NodePool is not gone before its nodes are.
                "annotations": {"pulumi.com/deletionPropagationPolicy": "foreground"},
            },
            spec={
                "template": {
                    "metadata": {"labels": spec.node_labels(pool)},
                    "spec": {
                        "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": pool},
                        "requirements": _requirements(spec),
                        "expireAfter": f"{spec.expire_after_hours}h",
                        **_notice(spec),
                        **({"taints": spec.node_taints()} if spec.node_taints() else {}),
                    },
                },
                "limits": _limits(spec),
                "disruption": {
                    "consolidationPolicy": _CONSOLIDATION_POLICY[spec.consolidation],
                    "consolidateAfter": f"{spec.consolidate_after_minutes}m",
                    "budgets": _budgets(spec),
                },
            },
            opts=self.child(depends_on=[node_class, *overlays], custom_timeouts=pulumi.CustomTimeouts(delete="30m")),
        )
        self.register_outputs({})

    def _placement_group(self) -> pulumi.Output[str]:
        name = self.resource_name
        group = aws.ec2.PlacementGroup(name, strategy="cluster", tags=self.tagged(name), opts=self.child())
        return group.name

    def _overlays(self, spec: KarpenterPoolSpec, pool: str) -> list[pulumi.Resource]:
        """Tells Karpenter, for each instance type, how many shares of GPUs a node has: it knows whole ones only."""
        if spec.sharing is None:
            return []
        return [
            k8s.apiextensions.CustomResource(
                f"{self.resource_name}-{instance_type}",
                api_version="karpenter.sh/v1alpha1",
                kind="NodeOverlay",
                metadata={"name": f"{pool}-{instance_type}"},
                spec={
                    "requirements": [
                        {"key": names.KARPENTER_POOL_LABEL, "operator": "In", "values": [pool]},
                        {"key": names.INSTANCE_TYPE_LABEL, "operator": "In", "values": [instance_type]},
                    ],
                    "capacity": {names.GPU_RESOURCE: spec.gpus_of(fact)},
                },
                opts=self.child(),
            )
            for instance_type, fact in zip(spec.instance_types, spec.facts, strict=True)
        ]


_SPOT_NOTICE = "2m"
_CONSOLIDATION_POLICY = {
    Consolidation.WHEN_EMPTY: "WhenEmpty",
    Consolidation.WHEN_EMPTY_OR_UNDERUTILIZED: "WhenEmptyOrUnderutilized",
}


def _notice(spec: KarpenterPoolSpec) -> dict[str, str]:
    """How long a node takes to drain at most, where EC2 gives it no longer.

    Without it Karpenter leaves pods that must not be disrupted alone until EC2 kills them, and they are told nothing:
    https://github.com/aws/karpenter-provider-aws/issues/8276. It would let nodes drift under such pods too, so that
    pools whose nodes may drift do without.
    """
    is_for_training = CapacityType.SPOT in spec.capacity_types and spec.consolidation is Consolidation.WHEN_EMPTY
    return {"terminationGracePeriod": _SPOT_NOTICE} if is_for_training else {}


def _limits(spec: KarpenterPoolSpec) -> dict[str, int | None]:
    if not spec.has_gpus:
        return {"cpu": spec.cpu_limit}
    # Karpenter counts what a node offers: shares, where GPUs are shared.
    most_shares = max(shares(spec.sharing, fact) for fact in spec.facts)
    return {names.GPU_RESOURCE: (spec.gpu_limit or 0) * most_shares}


def _network_interfaces(spec: KarpenterPoolSpec) -> list[dict[str, Any]]:
    layout = [("interface", 0, 0), *(("efa-only", card, device) for card, device in spec.facts[0].efa_layout)]
    return [{"interfaceType": kind, "networkCardIndex": card, "deviceIndex": device} for kind, card, device in layout]


def _budgets(spec: KarpenterPoolSpec) -> list[dict[str, Any]]:
    budgets: list[dict[str, Any]] = [{"nodes": "10%"}]
    if spec.consolidation is Consolidation.WHEN_EMPTY:
        # A changed tag or image must not evict training either: it reaches a node when that is empty or has expired.
        budgets.append({"nodes": "0", "reasons": ["Drifted"]})
    return budgets


def _requirements(spec: KarpenterPoolSpec) -> list[dict[str, Any]]:
    in_karpenters_words = {CapacityType.SPOT: "spot", CapacityType.ON_DEMAND: "on-demand"}
    reserved = ["reserved"] if spec.reservation_ids else []
    values = {
        names.INSTANCE_TYPE_LABEL: list(spec.instance_types),
        names.ARCHITECTURE_LABEL: [spec.architecture],
        names.OPERATING_SYSTEM_LABEL: ["linux"],
        names.KARPENTER_CAPACITY_TYPE_LABEL: reserved + [in_karpenters_words[kind] for kind in spec.capacity_types],
    }
    return [{"key": key, "operator": "In", "values": value} for key, value in values.items()]


def _volume(device: str, gib: int) -> dict[str, Any]:
    ebs = {"volumeType": "gp3", "volumeSize": f"{gib}Gi", "encrypted": True, "deleteOnTermination": True}
    return {"deviceName": device, "ebs": ebs}


def _reservations(spec: KarpenterPoolSpec) -> dict[str, Any]:
    if not spec.reservation_ids:
        return {}
    return {"capacityReservationSelectorTerms": [{"id": reservation} for reservation in spec.reservation_ids]}


def _limit_problems(spec: KarpenterPoolSpec) -> Iterator[Problem]:
    limits = {"gpuLimit": spec.gpu_limit, "cpuLimit": spec.cpu_limit}
    key, other = ("gpuLimit", "cpuLimit") if spec.has_gpus else ("cpuLimit", "gpuLimit")
    nodes = "GPUs" if spec.has_gpus else "no GPUs"
    if limits[other] is not None:
        yield Problem((other,), f"{limits[other]} given, but the pool has {nodes}: use {key}")
    counts = [fact.gpu.count if spec.has_gpus and fact.gpu else fact.vcpu for fact in spec.facts]
    smallest, limit = min(counts, default=0), limits[key]
    if limit is None:
        kind = "of GPUs" if spec.has_gpus else "without GPUs"
        yield Problem((key,), f"missing: a Karpenter pool {kind} always has a limit")
    elif limit < smallest:
        yield Problem((key,), f"{limit} given, must be at least {smallest}: its smallest type has as many")
