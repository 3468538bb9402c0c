"""Everything else of which an account may have only so many: VPCs, addresses, clusters, disks, interfaces, roles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from math import ceil
from typing import NamedTuple

from eksml import catalog
from eksml.account import Account
from eksml.checks.nodes import NODE_GROUP
from eksml.preflight.basis import CLUSTER, Basis, Pool
from eksml.preflight.finding import Answer, Question, error, ok, warning
from eksml.preflight.instance_quotas import quota_value, request
from eksml.preflight.offerings import zone_ids, zone_of

# An interface of its own, and the one that the VPC CNI holds ready:
# https://docs.aws.amazon.com/eks/latest/best-practices/vpc-cni.html
_INTERFACES_PER_NODE = 2
_ROLE = "aws:iam/role:Role"
_NAT = "aws:ec2/natGateway:NatGateway"
# EC2 does not answer at all for thousands of something at once.
_PAGES = {"PageSize": 1000}


class _Thing(NamedTuple):
    """Something of which there may be only so many."""

    quota: str
    """Its quota, by the name in the catalog."""
    needed: Callable[[Basis], float]
    """How many the Plan has; of nodes that come and go, as many as there may be."""
    used: Callable[[Basis, Account], float]
    """How many others use."""
    comes_later: bool = False
    """Whether it is used as nodes come, so that too few do not end `pulumi up`."""


def _of_type(*types: str) -> Callable[[Basis], float]:
    return lambda basis: sum(len(basis.whole.of_type(each)) for each in types)


def _listed(service: str, operation: str, key: str, tags: str = "Tags") -> Callable[[Basis, Account], float]:
    """How many of a list are not the platform's own."""
    return lambda basis, account: sum(not basis.is_own(each.get(tags)) for each in account.all(service, operation, key))


def _clusters(basis: Basis, account: Account) -> float:
    own = {str(each.inputs.get("name")) for each in basis.whole.of_type(CLUSTER)}
    return sum(name not in own for name in account.all("eks", "list_clusters", "clusters"))


def _gp3_tib(basis: Basis, account: Account) -> float:
    kind = [{"Name": "volume-type", "Values": ["gp3"]}]
    volumes = account.all("ec2", "describe_volumes", "Volumes", Filters=kind, PaginationConfig=_PAGES)
    return sum(each["Size"] for each in volumes if not basis.is_own(each.get("Tags"))) / 1024


def _interfaces(basis: Basis, account: Account) -> float:
    found = account.all("ec2", "describe_network_interfaces", "NetworkInterfaces", PaginationConfig=_PAGES)
    return sum(not basis.is_own(each.get("TagSet")) for each in found)


def _load_balancers(_basis: Basis, account: Account) -> float:
    found = account.all("elbv2", "describe_load_balancers", "LoadBalancers")
    return sum(each.get("Type") == "application" for each in found)


def _gateway_endpoints(basis: Basis, account: Account) -> float:
    kind = [{"Name": "vpc-endpoint-type", "Values": ["Gateway"]}]
    found = account.all("ec2", "describe_vpc_endpoints", "VpcEndpoints", Filters=kind)
    return sum(not basis.is_own(each.get("Tags")) for each in found)


def _planned_gateway_endpoints(basis: Basis) -> float:
    endpoints = basis.whole.of_type("aws:ec2/vpcEndpoint:VpcEndpoint")
    return sum(each.inputs.get("vpcEndpointType", "Gateway") == "Gateway" for each in endpoints)


def _planned_nat_gateways(basis: Basis) -> Counter[str]:
    """By zone."""
    subnets = [basis.planned_subnets.get(each.inputs.get("subnetId", "")) for each in basis.whole.of_type(_NAT)]
    return Counter(zone_of(each.inputs) for each in subnets if each)


def _nat_gateways_per_zone(basis: Basis) -> float:
    return max(_planned_nat_gateways(basis).values(), default=0)


def _nat_gateways(basis: Basis, account: Account) -> float:
    """Of others, in that of the Plan's zones that has most."""
    zones = {zone_ids(account).get(zone, zone) for zone in _planned_nat_gateways(basis)}
    states = [{"Name": "state", "Values": ["pending", "available", "deleting"]}]
    found = account.all("ec2", "describe_nat_gateways", "NatGateways", Filters=states)
    others = Counter(each.get("SubnetId") for each in found if not basis.is_own(each.get("Tags")))
    by_zone: Counter[str] = Counter()
    for subnet in account.all("ec2", "describe_subnets", "Subnets") if others else ():
        by_zone[subnet["AvailabilityZoneId"]] += others[subnet["SubnetId"]]
    return max((by_zone[zone] for zone in zones), default=0)


def _nodes(pool: Pool) -> int:
    """How many nodes a pool can have, as far as it is limited."""
    return max((pool.most(node) or 0 for node in pool.nodes), default=0)


def _disks_tib(basis: Basis) -> float:
    return sum(_nodes(pool) * max(node.ebs_gib for node in pool.nodes) for pool in basis.pools) / 1024


def _node_interfaces(basis: Basis) -> float:
    efa = sum(_nodes(pool) * max(node.efa for node in pool.nodes) for pool in basis.pools)
    return sum(_nodes(pool) for pool in basis.pools) * _INTERFACES_PER_NODE + efa


def _node_groups(basis: Basis) -> float:
    return len(basis.whole.of_type(NODE_GROUP)) if basis.cluster else 0


def _none(_basis: Basis, _account: Account) -> float:
    return 0


_THINGS = (
    _Thing("vpcs", _of_type("aws:ec2/vpc:Vpc"), _listed("ec2", "describe_vpcs", "Vpcs")),
    _Thing(
        "internetGateways",
        _of_type("aws:ec2/internetGateway:InternetGateway"),
        _listed("ec2", "describe_internet_gateways", "InternetGateways"),
    ),
    _Thing("elasticAddresses", _of_type("aws:ec2/eip:Eip"), _listed("ec2", "describe_addresses", "Addresses")),
    _Thing("natGateways", _nat_gateways_per_zone, _nat_gateways),
    _Thing("gatewayEndpoints", _planned_gateway_endpoints, _gateway_endpoints),
    _Thing("clusters", _of_type(CLUSTER), _clusters),
    _Thing("nodeGroups", _node_groups, _none),
    _Thing("gp3Tib", _disks_tib, _gp3_tib, comes_later=True),
    _Thing("networkInterfaces", _node_interfaces, _interfaces, comes_later=True),
    _Thing(
        "elasticFileSystems",
        _of_type("aws:efs/fileSystem:FileSystem"),
        _listed("efs", "describe_file_systems", "FileSystems"),
    ),
    _Thing(
        "databases",
        _of_type("aws:rds/instance:Instance"),
        _listed("rds", "describe_db_instances", "DBInstances", "TagList"),
    ),
    _Thing(
        "applicationLoadBalancers",
        _of_type("kubernetes:gateway.networking.k8s.io/v1:Gateway", "kubernetes:networking.k8s.io/v1:Ingress"),
        _load_balancers,
        comes_later=True,
    ),
)


def questions(basis: Basis) -> Iterator[Question]:
    """Whether each quota has room for what the Plan makes."""
    for thing in _THINGS:
        if thing.needed(basis):
            yield Question(f"the quota of {catalog.quotas().others[thing.quota].name}", partial(_quota, thing, basis))
    if basis.whole.of_type(_ROLE):
        yield Question("the quota of IAM roles", partial(_roles, basis))


def _quota(thing: _Thing, basis: Basis, account: Account) -> Iterator[Answer]:
    quota = catalog.quotas().others[thing.quota]
    has, used, needed = quota_value(quota.service, quota.code, account), thing.used(basis, account), thing.needed(basis)
    text = f"{has:g}, {used:.3g} of them used by others; the stack needs {'up to ' * thing.comes_later}{needed:.3g}"
    ask = request(quota.service, quota.code, used + needed, basis.region)
    if used + needed <= has:
        yield ok(text)
    else:
        yield warning(text, ask) if thing.comes_later else error(text, ask)


def _roles(basis: Basis, account: Account) -> Iterator[Answer]:
    """IAM counts for itself, and Service Quotas asks it in one region only."""
    summary = account.ask("iam", "get_account_summary")["SummaryMap"]
    has, used, needed = summary["RolesQuota"], summary["Roles"], len(basis.whole.of_type(_ROLE)) + 1
    text = f"{has}, {used} of them there; the stack needs {needed}, if none of them is its own"
    if used + needed <= has:
        yield ok(text)
    else:
        yield warning(text, f"ask for {ceil(used + needed)} in Service Quotas, in us-east-1 (iam, Roles per account)")
