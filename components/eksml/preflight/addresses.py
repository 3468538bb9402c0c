"""Addresses: what a VPC that exists has, whether its subnets lead out, and whether all nodes and pods find room."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from ipaddress import IPv4Network
from typing import Any

from eksml import names
from eksml.account import Account, Refused
from eksml.preflight.basis import Basis, Pool
from eksml.preflight.finding import Answer, Question, error, ok, warning

# What EKS needs in each subnet of a cluster, and what it advises:
# https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html
_LEAST_FREE, _ADVISED_FREE = 6, 16
# In each subnet: https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
_KEPT_BY_AWS = 5
# The VPC CNI fills the interface of a node, and holds another ready:
# https://docs.aws.amazon.com/eks/latest/best-practices/vpc-cni.html
_INTERFACES_AT_FIRST = 2
_DNS = ("enableDnsSupport", "enableDnsHostnames")


def questions(basis: Basis) -> Iterator[Question]:
    """Whether a VPC that exists is fit for a cluster, and whether there are addresses for as many nodes as may be."""
    network = basis.platform.get("network") or {}
    if network.get("kind") == "existing":
        yield Question(f"the VPC {network['vpcId']}", partial(_vpc, network))
        yield Question("the subnets", partial(_subnets, network))
        if basis.platform.get("gateway") is not None:
            yield Question("the tags of the subnets", partial(_tags, network))
        yield Question("the way out of the private subnets", partial(_routes, network, basis))
    if any(basis.subnets_of(pool) for pool in basis.pools):
        yield Question("the addresses of nodes and pods", partial(_addresses, basis))


def _vpc(network: Mapping[str, Any], account: Account) -> Iterator[Answer]:
    name = network["vpcId"]
    found = account.find("ec2", "describe_vpcs", "InvalidVpcID.NotFound", VpcIds=[name])
    if found is None:
        yield error(f"is not in {account.region} of this account", "set network.vpcId to one that is")
        return
    vpc = found["Vpcs"][0]
    off = [each for each in _DNS if not _attribute(name, each, account)]
    if off:
        advice = f"turn on {' and '.join(off)} of the VPC: nodes find the API server and AWS by names of the VPC"
        yield error(f"has {' and '.join(off)} turned off", advice)
    ranges = [each["CidrBlock"] for each in vpc.get("CidrBlockAssociationSet") or ()] or [vpc["CidrBlock"]]
    outside = [each for each in network.get("loadBalancerCidrs") or () if not _is_within(each, ranges)]
    if outside:
        yield error(
            f"has {', '.join(ranges)}, and network.loadBalancerCidrs has {', '.join(outside)}",
            "set them to the ranges of the subnets that load balancers live in",
        )
    if not off and not outside:
        yield ok(f"{', '.join(ranges)}, resolves names")


def _attribute(vpc: str, name: str, account: Account) -> bool:
    answer = account.ask("ec2", "describe_vpc_attribute", VpcId=vpc, Attribute=name)
    return bool(answer[name[0].upper() + name[1:]]["Value"])


def _is_within(cidr: str, ranges: list[str]) -> bool:
    return any(IPv4Network(cidr).subnet_of(IPv4Network(each)) for each in ranges)


def _subnets(network: Mapping[str, Any], account: Account) -> Iterator[Answer]:
    ids = [*network.get("privateSubnets", {}).values(), *network.get("publicSubnets", {}).values()]
    try:
        found = {each["SubnetId"]: each for each in account.all("ec2", "describe_subnets", "Subnets", SubnetIds=ids)}
    except Refused as refusal:
        if refusal.code != "InvalidSubnetID.NotFound":
            raise
        yield error(f"one is not in {account.region}: {refusal}", "set network.privateSubnets and publicSubnets")
        return
    problems = [
        answer
        for kind in ("privateSubnets", "publicSubnets")
        for zone, name in network.get(kind, {}).items()
        for answer in _subnet(f"network.{kind}.{zone}", zone, found[name], network["vpcId"])
    ]
    yield from problems
    yield from (
        answer for name in network.get("privateSubnets", {}).values() for answer in _room_for_cluster(found[name])
    )
    if not problems:
        yield ok(f"{len(ids)} subnets, in the VPC and in their zones")


def _subnet(path: str, zone: str, subnet: Mapping[str, Any], vpc: str) -> Iterator[Answer]:
    name = subnet["SubnetId"]
    if subnet["VpcId"] != vpc:
        yield error(f"{name} is in {subnet['VpcId']}, not in {vpc}", f"set {path} to a subnet of the VPC")
    if zone not in (subnet["AvailabilityZone"], subnet.get("AvailabilityZoneId")):
        where = f"{subnet['AvailabilityZone']} ({subnet.get('AvailabilityZoneId')})"
        yield error(f"{name} is in {where}, and is given for {zone}", f"give it under its own zone instead of {path}")


def _room_for_cluster(subnet: Mapping[str, Any]) -> Iterator[Answer]:
    name, free = subnet["SubnetId"], subnet["AvailableIpAddressCount"]
    text = f"{name} has {free} free addresses; EKS needs {_LEAST_FREE} for its interfaces and advises {_ADVISED_FREE}"
    if free < _LEAST_FREE:
        yield error(text, "take another subnet of its zone, or free addresses")
    elif free < _ADVISED_FREE:
        yield warning(text, "take another subnet of its zone, or free addresses")


def _tags(network: Mapping[str, Any], account: Account) -> Iterator[Answer]:
    """Load balancers find subnets by tags, and go to those without one where each zone has but one subnet."""
    ids = [*network.get("privateSubnets", {}).values(), *network.get("publicSubnets", {}).values()]
    roles = (names.PUBLIC_LOAD_BALANCER_TAG, names.INTERNAL_LOAD_BALANCER_TAG)
    found = account.all("ec2", "describe_subnets", "Subnets", SubnetIds=ids)
    tagged = [each for each in found if any(tag["Key"] in roles for tag in each.get("Tags", ()))]
    if tagged:
        yield ok(f"{len(tagged)} of {len(found)} are tagged for load balancers")
    else:
        yield warning("none is tagged for load balancers", f"tag them {roles[0]}=1, or {roles[1]}=1 for internal ones")


def _routes(network: Mapping[str, Any], basis: Basis, account: Account) -> Iterator[Answer]:
    filters = [{"Name": "vpc-id", "Values": [network["vpcId"]]}]
    tables = account.all("ec2", "describe_route_tables", "RouteTables", Filters=filters)
    by_subnet = {
        each.get("SubnetId", "main" if each.get("Main") else ""): table
        for table in tables
        for each in table.get("Associations", ())
    }
    wrong = False
    for zone, name in network["privateSubnets"].items():
        table = by_subnet.get(name, by_subnet.get("main", {}))
        route = next((each for each in table.get("Routes", ()) if each.get("DestinationCidrBlock") == "0.0.0.0/0"), {})
        path = f"{name} ({zone})"
        if route.get("State") == "blackhole":
            wrong = True
            yield error(f"{path} leads to a gateway that is gone", "repair the route to 0.0.0.0/0 in its table")
        elif str(route.get("GatewayId", "")).startswith("igw-"):
            wrong = True
            yield error(
                f"{path} leads to an internet gateway, and nodes have no public addresses",
                "name private subnets, whose route to 0.0.0.0/0 is a NAT gateway",
            )
        elif not route:
            wrong = True
            yield warning(
                f"{path} has no route to 0.0.0.0/0: nodes reach what has an endpoint in the VPC",
                "add a NAT gateway, or endpoints for all that docs/guides/existing.md lists",
            )
    if not wrong:
        yield ok("all of them have a route to 0.0.0.0/0")


def _addresses(basis: Basis, account: Account) -> Iterator[Answer]:
    subnets = sorted({each for pool in basis.pools for each in basis.subnets_of(pool)})
    free = _free(subnets, basis, account)
    sizes = _addresses_per_interface(basis, account)
    fixed = sum(_most(pool, sizes)[0] for pool in basis.pools if pool.is_fixed)
    most = sum(_most(pool, sizes)[1] for pool in basis.pools)
    text = f"{free} free in {len(subnets)} subnets; as many nodes as there may be take {most} to begin with"
    advice = "take larger subnets (network.cidr, network.privateSubnets), or lower the limits of the pools"
    if fixed > free:
        yield error(f"{free} free in {len(subnets)} subnets, and {fixed} fixed nodes want one each", advice)
    elif most > free:
        yield warning(text, advice)
    else:
        yield ok(text)


def _free(subnets: list[str], basis: Basis, account: Account) -> int:
    planned = [basis.planned_subnets[each].inputs["cidrBlock"] for each in subnets if each in basis.planned_subnets]
    existing = [each for each in subnets if each not in basis.planned_subnets]
    found = account.all("ec2", "describe_subnets", "Subnets", SubnetIds=existing) if existing else []
    return sum(IPv4Network(each).num_addresses - _KEPT_BY_AWS for each in planned) + sum(
        each["AvailableIpAddressCount"] for each in found
    )


def _addresses_per_interface(basis: Basis, account: Account) -> dict[str, int]:
    # By filter: an id that the region does not have would be an error instead of no answer.
    types = [{"Name": "instance-type", "Values": sorted({name for pool in basis.pools for name in pool.types})}]
    return {
        each["InstanceType"]: each["NetworkInfo"]["Ipv4AddressesPerInterface"]
        for each in account.all("ec2", "describe_instance_types", "InstanceTypes", Filters=types)
    }


def _most(pool: Pool, sizes: Mapping[str, int]) -> tuple[int, int]:
    """How many nodes it can have, and how many addresses they take before pods ask for more."""
    counts = [(node, pool.most(node) or 0) for node in pool.nodes]
    taken = [count * _INTERFACES_AT_FIRST * sizes.get(node.instance_type, 1) for node, count in counts]
    return max(count for _, count in counts), max(taken)
