"""A VPC for one cluster: private and public subnets over named zones, NAT gateways, and VPC endpoints."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Annotated, Literal

import pulumi
import pulumi_aws as aws
from pydantic import Field

from eksml import names
from eksml.catalog import vpc_endpoints
from eksml.component import Component, Tags
from eksml.errors import Problem, nearest, repetitions
from eksml.spec import Cidr, Spec, Zone

# A VPC has eight blocks: a private subnet for each of at most seven zones, and the last block for all public subnets.
_BLOCK_BITS = 3
_MOST_ZONES = 2**_BLOCK_BITS - 1
_LARGEST_VPC, _SMALLEST_VPC = 16, 21


class NatGateways(StrEnum):
    """How private subnets reach the internet: a choice between cost and what the loss of a zone takes along."""

    NONE = "none"
    """Not at all: interface endpoints must cover what nodes and controllers call."""
    ONE = "one"
    """Through one gateway: cheapest; if its zone fails, no node can pull an image."""
    PER_ZONE = "perZone"
    """Through a gateway in each zone: a zone's failure stays in that zone."""


class NewVpcSpec(Spec):
    """A VPC of its own for the platform."""

    kind: Literal["new"] = "new"
    cidr: Cidr = "10.0.0.0/16"
    """IPv4 range of the VPC, from /16 to /21; pods take their addresses from it too, and it cannot change later."""
    zones: Annotated[tuple[Zone, ...], Field(min_length=2)]
    """Availability Zones, at least two, best by zone id (usw2-az1); the default is the region's in the catalog."""
    nat_gateways: NatGateways = NatGateways.ONE
    """NAT gateways: none, one, or one per zone."""
    interface_endpoints: tuple[str, ...] = ()
    """AWS services to reach through interface endpoints, such as ecr.api; each costs money per zone and hour."""

    def rules(self) -> Iterator[Problem]:
        """AWS's limits on VPCs and subnets, and what a cluster needs when it has no NAT gateway."""
        yield from _cidr_problems(self.cidr)
        yield from _zone_problems(self.zones)
        yield from _endpoint_problems(self)


class Vpc(Component):
    """A VPC with a private and a public subnet in each zone, tagged for load balancers and for Karpenter.

    Subnets keep their addresses when zones are added or taken away: a zone's number (usw2-az3: the third) decides which
    eighth of the VPC its private subnet gets.

    Arguments:
        spec: the network to build.
        region: the AWS region, by which endpoint services are named.
        cluster_name: the cluster whose Karpenter may use the private subnets.
        tags: tags for every AWS resource.

    Attributes:
        vpc_id: the id of the VPC.
        private_subnets, public_subnets: subnet ids by zone.
        load_balancer_cidrs: the ranges that load balancers have their addresses in.
    """

    def __init__(
        self,
        name: str,
        spec: NewVpcSpec,
        *,
        region: str,
        cluster_name: str,
        tags: Tags | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:network:Vpc", name, spec, opts, tags)
        vpc = aws.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=spec.cidr,
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags=self.tagged(name),
            opts=self.child(),
        )
        self.vpc_id: pulumi.Output[str] = vpc.id
        private_roles = {names.DISCOVERY_TAG: cluster_name}
        # Internal load balancers too: where no pod lives, their range can be let in without letting in every pod.
        public_roles = {names.PUBLIC_LOAD_BALANCER_TAG: "1", names.INTERNAL_LOAD_BALANCER_TAG: "1"}
        private = {
            zone: self._subnet("private", zone, private_block(spec.cidr, zone), private_roles) for zone in spec.zones
        }
        public = {
            zone: self._subnet("public", zone, public_block(spec.cidr, zone), public_roles) for zone in spec.zones
        }
        gateway = self._internet_gateway(public)
        tables = self._private_route_tables(private)
        self._nat_gateways(spec, public, tables, gateway)
        self._gateway_endpoint(region, tables)
        if spec.interface_endpoints:
            self._interface_endpoints(spec, region, private)
        self.private_subnets: dict[str, pulumi.Output[str]] = {zone: subnet.id for zone, subnet in private.items()}
        self.public_subnets: dict[str, pulumi.Output[str]] = {zone: subnet.id for zone, subnet in public.items()}
        self.load_balancer_cidrs = tuple(str(public_block(spec.cidr, zone)) for zone in spec.zones)
        self.register_outputs(
            {"vpcId": self.vpc_id, "privateSubnets": self.private_subnets, "publicSubnets": self.public_subnets}
        )

    def _subnet(self, kind: str, zone: str, block: IPv4Network, roles: dict[str, str]) -> aws.ec2.Subnet:
        name = f"{self.resource_name}-{kind}-{zone}"
        by_id = "-az" in zone
        return aws.ec2.Subnet(
            name,
            vpc_id=self.vpc_id,
            availability_zone=None if by_id else zone,
            availability_zone_id=zone if by_id else None,
            cidr_block=str(block),
            tags=self.tagged(name, **roles),
            opts=self.child(),
        )

    def _internet_gateway(self, public: dict[str, aws.ec2.Subnet]) -> aws.ec2.InternetGateway:
        name = f"{self.resource_name}-public"
        gateway = aws.ec2.InternetGateway(
            name, vpc_id=self.vpc_id, tags=self.tagged(self.resource_name), opts=self.child()
        )
        table = aws.ec2.RouteTable(name, vpc_id=self.vpc_id, tags=self.tagged(name), opts=self.child())
        aws.ec2.Route(
            f"{name}-internet",
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=gateway.id,
            opts=self.child(),
        )
        for zone, subnet in public.items():
            self._association(f"{name}-{zone}", subnet, table)
        return gateway

    def _private_route_tables(self, private: dict[str, aws.ec2.Subnet]) -> dict[str, aws.ec2.RouteTable]:
        tables = {}
        for zone, subnet in private.items():
            name = f"{self.resource_name}-private-{zone}"
            tables[zone] = aws.ec2.RouteTable(name, vpc_id=self.vpc_id, tags=self.tagged(name), opts=self.child())
            self._association(name, subnet, tables[zone])
        return tables

    def _association(self, name: str, subnet: aws.ec2.Subnet, table: aws.ec2.RouteTable) -> None:
        aws.ec2.RouteTableAssociation(name, subnet_id=subnet.id, route_table_id=table.id, opts=self.child())

    def _nat_gateways(
        self,
        spec: NewVpcSpec,
        public: dict[str, aws.ec2.Subnet],
        tables: dict[str, aws.ec2.RouteTable],
        gateway: aws.ec2.InternetGateway,
    ) -> None:
        zones = {NatGateways.NONE: (), NatGateways.ONE: spec.zones[:1], NatGateways.PER_ZONE: spec.zones}[
            spec.nat_gateways
        ]
        nat = {zone: self._nat_gateway(zone, public[zone], gateway) for zone in zones}
        for zone, table in tables.items() if nat else ():
            aws.ec2.Route(
                f"{self.resource_name}-private-{zone}-internet",
                route_table_id=table.id,
                destination_cidr_block="0.0.0.0/0",
                nat_gateway_id=nat.get(zone, nat[zones[0]]).id,
                opts=self.child(),
            )

    def _nat_gateway(self, zone: str, subnet: aws.ec2.Subnet, gateway: aws.ec2.InternetGateway) -> aws.ec2.NatGateway:
        name = f"{self.resource_name}-nat-{zone}"
        address = aws.ec2.Eip(name, domain="vpc", tags=self.tagged(name), opts=self.child(depends_on=[gateway]))
        return aws.ec2.NatGateway(
            name,
            subnet_id=subnet.id,
            allocation_id=address.id,
            tags=self.tagged(name),
            # AWS: create the internet gateway first, and detach it last.
            opts=self.child(depends_on=[gateway]),
        )

    def _gateway_endpoint(self, region: str, tables: dict[str, aws.ec2.RouteTable]) -> None:
        # It costs nothing, and without it models and images pass the NAT gateway, which charges by the gigabyte.
        aws.ec2.VpcEndpoint(
            f"{self.resource_name}-s3",
            vpc_id=self.vpc_id,
            vpc_endpoint_type="Gateway",
            service_name=f"com.amazonaws.{region}.s3",
            route_table_ids=[table.id for table in tables.values()],
            tags=self.tagged(f"{self.resource_name}-s3"),
            opts=self.child(),
        )

    def _interface_endpoints(self, spec: NewVpcSpec, region: str, private: dict[str, aws.ec2.Subnet]) -> None:
        name = f"{self.resource_name}-endpoints"
        group = aws.ec2.SecurityGroup(
            name,
            vpc_id=self.vpc_id,
            description="HTTPS from the VPC to interface endpoints",
            ingress=[{"protocol": "tcp", "from_port": 443, "to_port": 443, "cidr_blocks": [spec.cidr]}],
            tags=self.tagged(name),
            opts=self.child(),
        )
        for service in spec.interface_endpoints:
            endpoint = f"{self.resource_name}-{service.replace('.', '-')}"
            aws.ec2.VpcEndpoint(
                endpoint,
                vpc_id=self.vpc_id,
                vpc_endpoint_type="Interface",
                service_name=f"com.amazonaws.{region}.{service}",
                subnet_ids=[subnet.id for subnet in private.values()],
                security_group_ids=[group.id],
                private_dns_enabled=True,
                tags=self.tagged(endpoint),
                opts=self.child(),
            )


def private_block(cidr: str, zone: str) -> IPv4Network:
    """The range of a zone's private subnet: an eighth of the VPC."""
    return list(IPv4Network(cidr).subnets(_BLOCK_BITS))[_position(zone)]


def public_block(cidr: str, zone: str) -> IPv4Network:
    """The range of a zone's public subnet: an eighth of the VPC's last eighth."""
    return list(list(IPv4Network(cidr).subnets(_BLOCK_BITS))[-1].subnets(_BLOCK_BITS))[_position(zone)]


def _position(zone: str) -> int:
    return int(zone.rpartition("-az")[2]) - 1 if "-az" in zone else ord(zone[-1]) - ord("a")


def _cidr_problems(cidr: str) -> Iterator[Problem]:
    size = IPv4Network(cidr).prefixlen
    if size < _LARGEST_VPC:
        yield Problem(("cidr",), f"/{size} given, must be /{_LARGEST_VPC} or smaller: AWS allows no larger VPC")
    if size > _SMALLEST_VPC:
        reason = "a load balancer needs public subnets of at least /27"
        yield Problem(("cidr",), f"/{size} given, too small, must be /{_SMALLEST_VPC} or larger: {reason}")


def _zone_problems(zones: tuple[str, ...]) -> Iterator[Problem]:
    taken: dict[int, str] = {}
    for index, zone in enumerate(zones):
        position = _position(zone)
        if zone in zones[:index]:
            yield Problem(("zones", index), f"'{zone}' is listed twice")
        elif not 0 <= position < _MOST_ZONES:
            yield Problem(("zones", index), f"'{zone}' given, must be one of the first {_MOST_ZONES} zones of a region")
        elif position in taken:
            yield Problem(
                ("zones", index), f"'{zone}' would share addresses with '{taken[position]}': use only zone ids"
            )
        taken.setdefault(position, zone)


def _endpoint_problems(spec: NewVpcSpec) -> Iterator[Problem]:
    known = vpc_endpoints()
    for index, service in enumerate(spec.interface_endpoints):
        if service not in known.services:
            choices = f"must be one of {', '.join(known.services)}{nearest(service, known.services)}"
            yield Problem(("interfaceEndpoints", index), f"'{service}' given, {choices}")
    yield from repetitions(("interfaceEndpoints",), spec.interface_endpoints)
    missing = [service for service in known.needed_without_nat if service not in spec.interface_endpoints]
    if spec.nat_gateways is NatGateways.NONE and missing:
        yield Problem(("interfaceEndpoints",), f"natGateways: none needs these too: {', '.join(missing)}")
