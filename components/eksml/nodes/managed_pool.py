"""A managed pool: an EKS node group of a fixed size."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import pulumi
import pulumi_aws as aws
from pydantic import Field

from eksml.catalog import ami_families, instance_types
from eksml.component import Component, Tags
from eksml.errors import Problem
from eksml.nodes.pool import PoolSpec
from eksml.spec import Flag, ReservationId, Spec

# nodeadm reads this beside what EKS adds by itself; it joins the NVMe disks into one that holds images and pods.
# https://awslabs.github.io/amazon-eks-ami/nodeadm/doc/api/
_INSTANCE_STORE_USER_DATA = """MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="//"

--//
Content-Type: application/node.eks.aws

---
apiVersion: node.eks.aws/v1alpha1
kind: NodeConfig
spec:
  instance:
    localStorage:
      strategy: RAID0

--//--
"""


class OnDemand(Spec):
    """On-demand instances: there whenever EC2 has capacity, at the list price."""

    kind: Literal["onDemand"] = "onDemand"


class Spot(Spec):
    """Spot instances: cheaper, and taken away at two minutes' notice."""

    kind: Literal["spot"] = "spot"


class Reservation(Spec):
    """An On-Demand Capacity Reservation, which is paid for whether it is used or not."""

    kind: Literal["reservation"] = "reservation"
    id: ReservationId
    """Id of the reservation."""


class CapacityBlock(Spec):
    """A Capacity Block for ML: GPUs bought for some days. EKS empties the pool 40 minutes before it ends."""

    kind: Literal["capacityBlock"] = "capacityBlock"
    id: ReservationId
    """Id of the reservation that the block came with."""


Capacity = Annotated[OnDemand | Spot | Reservation | CapacityBlock, Field(discriminator="kind")]


class ManagedPoolSpec(PoolSpec):
    """A pool whose number of nodes is fixed; nothing scales it but a change of `size`."""

    kind: Literal["managed"] = "managed"
    size: Annotated[int, Field(strict=True, ge=0, le=450)]
    """Number of nodes, from 0 to 450; it stays as it is, 0 too, until it is changed here."""
    capacity: Capacity = OnDemand()
    """How EC2 provides the nodes: onDemand, spot, a reservation, or a capacityBlock."""
    node_repair: Flag = True
    """Whether EKS replaces nodes that its monitoring agent finds broken."""

    def rules(self) -> Iterator[Problem]:
        """A reservation is of one type in one zone."""
        yield from super().rules()
        if isinstance(self.capacity, Reservation | CapacityBlock):
            if len(self.instance_types) != 1:
                yield Problem(
                    ("instanceTypes",), f"{len(self.instance_types)} given, must be the one type of the reservation"
                )
            if len(self.zones) != 1:
                yield Problem(("zones",), f"{len(self.zones)} given, must be the one zone of the reservation")
            if self.placement_group:
                yield Problem(("placementGroup",), "given, but a reservation has a place of its own")
        known = instance_types()
        for index, name in enumerate(self.instance_types):
            fact = known.get(name)
            if fact and isinstance(self.capacity, CapacityBlock) and fact.capacity_block is False:
                yield Problem(("instanceTypes", index), f"{name} cannot be bought as a Capacity Block")
            if fact and isinstance(self.capacity, Spot) and fact.spot is False:
                yield Problem(("instanceTypes", index), f"{name} is not sold as spot")


class ManagedPool(Component):
    """An EKS node group with a launch template of ours: encrypted disk, IMDSv2, tags on instances, node repair.

    Arguments:
        spec: the pool.
        pool: the pool's name, by which workloads choose it.
        kubernetes_version: Kubernetes version of the cluster.
        cluster_name: name of the EKS cluster.
        role_arn: ARN of the nodes' IAM role.
        subnets: the network's private subnet ids by zone.
        security_group_id: id of the cluster's security group; a pool with EFA needs it, others get it from EKS.
        tags: tags for every AWS resource, instances and disks too.

    Attributes:
        node_group: the EKS node group.
    """

    def __init__(
        self,
        name: str,
        spec: ManagedPoolSpec,
        *,
        pool: str,
        kubernetes_version: str,
        cluster_name: pulumi.Input[str],
        role_arn: pulumi.Input[str],
        subnets: Mapping[str, pulumi.Input[str]],
        security_group_id: pulumi.Input[str] | None = None,
        tags: Tags | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:nodes:ManagedPool", name, spec, opts, tags)
        family = ami_families()[spec.ami_family]
        template = self._launch_template(spec, security_group_id)
        in_block = isinstance(spec.capacity, CapacityBlock)
        self.node_group = aws.eks.NodeGroup(
            name,
            cluster_name=cluster_name,
            node_role_arn=role_arn,
            subnet_ids=spec.subnets_of(subnets),
            ami_type=family.ami_types[spec.architecture][spec.accelerator],
            version=kubernetes_version,
            release_version=family.releases[kubernetes_version],
            capacity_type={"spot": "SPOT", "capacityBlock": "CAPACITY_BLOCK"}.get(spec.capacity.kind, "ON_DEMAND"),
            # EKS wants the one type of a Capacity Block in the launch template.
            instance_types=None if in_block else list(spec.instance_types),
            scaling_config={"min_size": spec.size, "desired_size": spec.size, "max_size": max(spec.size, 1)},
            update_config=_update_config(spec),
            node_repair_config={"enabled": spec.node_repair},
            labels=spec.node_labels(pool),
            taints=[
                {"key": taint["key"], "value": taint["value"], "effect": "NO_SCHEDULE"} for taint in spec.node_taints()
            ],
            launch_template={"id": template.id, "version": template.latest_version.apply(str)},
            tags=self.tagged(name),
            opts=self.child(),
        )
        self.register_outputs({})

    def _launch_template(
        self, spec: ManagedPoolSpec, security_group_id: pulumi.Input[str] | None
    ) -> aws.ec2.LaunchTemplate:
        # No image and no security group: EKS then chooses the AMI of the group's ami_type and its own group.
        name = self.resource_name
        return aws.ec2.LaunchTemplate(
            name,
            block_device_mappings=[_volume(device, gib) for device, gib in spec.disks.items()],
            metadata_options={"http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 1},
            user_data=_user_data(spec),
            network_interfaces=_network_interfaces(spec, security_group_id),
            placement={"group_name": self._placement_group()} if spec.placement_group else None,
            tag_specifications=[{"resource_type": kind, "tags": self.tagged(name)} for kind in ("instance", "volume")],
            tags=self.tagged(name),
            **_reserved(spec),
            opts=self.child(),
        )

    def _placement_group(self) -> pulumi.Output[str]:
        name = self.resource_name
        group = aws.ec2.PlacementGroup(name, strategy="cluster", tags=self.tagged(name), opts=self.child())
        return group.name


def _user_data(spec: ManagedPoolSpec) -> str | None:
    text = spec.bottlerocket_settings or (_INSTANCE_STORE_USER_DATA if spec.has_instance_store else None)
    return base64.b64encode(text.encode()).decode() if text else None


def _network_interfaces(
    spec: ManagedPoolSpec, security_group_id: pulumi.Input[str] | None
) -> list[aws.ec2.LaunchTemplateNetworkInterfaceArgs] | None:
    if not spec.efa:
        return None
    layout = [("interface", 0, 0), *(("efa-only", card, device) for card, device in spec.facts[0].efa_layout)]
    return [
        aws.ec2.LaunchTemplateNetworkInterfaceArgs(
            interface_type=kind,
            network_card_index=card,
            device_index=device,
            # EKS adds its own group only where a template has no interfaces.
            security_groups=[security_group_id] if security_group_id else None,
            delete_on_termination="true",
        )
        for kind, card, device in layout
    ]


def _update_config(spec: ManagedPoolSpec) -> aws.eks.NodeGroupUpdateConfigArgs:
    # GPUs may be all reserved or sold out: an update that wants a new node before it gives an old one up would not end.
    strategy = "MINIMAL" if spec.has_gpus else "DEFAULT"
    return aws.eks.NodeGroupUpdateConfigArgs(max_unavailable=1, update_strategy=strategy)


def _volume(device: str, gib: int) -> aws.ec2.LaunchTemplateBlockDeviceMappingArgs:
    ebs = aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
        volume_type="gp3", volume_size=gib, encrypted="true", delete_on_termination="true"
    )
    return aws.ec2.LaunchTemplateBlockDeviceMappingArgs(device_name=device, ebs=ebs)


def _reserved(spec: ManagedPoolSpec) -> dict[str, Any]:
    if not isinstance(spec.capacity, Reservation | CapacityBlock):
        return {}
    target = {"capacity_reservation_target": {"capacity_reservation_id": spec.capacity.id}}
    if isinstance(spec.capacity, Reservation):
        return {"capacity_reservation_specification": target}
    return {
        "capacity_reservation_specification": target,
        "instance_market_options": {"market_type": "capacity-block"},
        "instance_type": spec.instance_types[0],
    }
