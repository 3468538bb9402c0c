"""A VPC of its own."""

from ipaddress import IPv4Network
from typing import Any

import pytest

from eksml.network.vpc import NatGateways, NewVpcSpec, Vpc, private_block, public_block
from eksml.plan import Plan
from programs import names_of, one, recorded
from refusals import check_problems, problems

ZONES = ("usw2-az1", "usw2-az2", "usw2-az3")


def vpc(**settings: Any) -> Plan:
    spec = NewVpcSpec(**{"zones": ZONES, **settings})
    return recorded(lambda: Vpc("lab", spec, region="us-west-2", cluster_name="lab", tags={"team": "vision"}))


def test_it_works_alone() -> None:
    plan = vpc()
    assert one(plan, "aws:ec2/vpc:Vpc").inputs["cidrBlock"] == "10.0.0.0/16"
    assert len(plan.of_type("aws:ec2/subnet:Subnet")) == 6


def test_each_zone_has_a_private_and_a_public_subnet_found_by_load_balancers_and_karpenter() -> None:
    plan = vpc()
    for zone in ZONES:
        private = one(plan, "aws:ec2/subnet:Subnet", f"lab-private-{zone}").inputs
        public = one(plan, "aws:ec2/subnet:Subnet", f"lab-public-{zone}").inputs
        assert private["availabilityZoneId"] == public["availabilityZoneId"] == zone
        assert public["tags"]["kubernetes.io/role/internal-elb"] == "1"
        assert "kubernetes.io/role/internal-elb" not in private["tags"], "load balancers live where no pod does"
        assert private["tags"]["karpenter.sh/discovery"] == "lab"
        assert public["tags"]["kubernetes.io/role/elb"] == "1"
        assert "karpenter.sh/discovery" not in public["tags"], "nodes must not land in public subnets"
        assert "mapPublicIpOnLaunch" not in public, "nothing gets a public address by being there"


def test_subnets_lie_in_the_vpc_and_do_not_overlap() -> None:
    zones = [f"usw2-az{number}" for number in range(1, 8)]
    for cidr in ("10.0.0.0/16", "192.168.8.0/21"):
        blocks = [block(cidr, zone) for block in (private_block, public_block) for zone in zones]
        assert all(block.subnet_of(IPv4Network(cidr)) for block in blocks)
        assert not any(one.overlaps(other) for one in blocks for other in blocks if one != other)
        assert len(set(blocks)) == len(blocks)


def test_a_zone_keeps_its_addresses_whatever_other_zones_there_are() -> None:
    def blocks(*zones: str) -> dict[str, str]:
        plan = vpc(zones=zones)
        return {subnet.name: subnet.inputs["cidrBlock"] for subnet in plan.of_type("aws:ec2/subnet:Subnet")}

    fewer, more = blocks("usw2-az2", "usw2-az3"), blocks("usw2-az3", "usw2-az1", "usw2-az2")
    assert fewer.items() <= more.items()


def test_a_zone_may_be_given_by_name() -> None:
    subnet = one(vpc(zones=("us-west-2a", "us-west-2b")), "aws:ec2/subnet:Subnet", "lab-private-us-west-2a").inputs
    assert subnet["availabilityZone"] == "us-west-2a"
    assert "availabilityZoneId" not in subnet


@pytest.mark.parametrize(
    ("nat_gateways", "gateways"),
    [(NatGateways.ONE, ["lab-nat-usw2-az1"]), (NatGateways.PER_ZONE, [f"lab-nat-{zone}" for zone in ZONES])],
)
def test_private_subnets_reach_the_internet_through_nat(nat_gateways: NatGateways, gateways: list[str]) -> None:
    plan = vpc(nat_gateways=nat_gateways)
    assert names_of(plan, "aws:ec2/natGateway:NatGateway") == gateways
    for zone in ZONES:
        route = one(plan, "aws:ec2/route:Route", f"lab-private-{zone}-internet")
        own = f"lab-nat-{zone}"
        expected = own if own in gateways else gateways[0]
        assert [urn.rpartition("::")[2] for urn in route.property_dependencies["natGatewayId"]] == [expected]


def test_without_nat_gateways_there_is_no_way_out_but_endpoints() -> None:
    (line,) = problems(NewVpcSpec, {"zones": list(ZONES), "natGateways": "none"})
    needed = line.partition("needs these too: ")[2].split(", ")
    plan = vpc(nat_gateways=NatGateways.NONE, interface_endpoints=tuple(needed))
    assert not plan.of_type("aws:ec2/natGateway:NatGateway")
    assert names_of(plan, "aws:ec2/route:Route") == ["lab-public-internet"]
    endpoints = {resource.inputs["serviceName"] for resource in plan.of_type("aws:ec2/vpcEndpoint:VpcEndpoint")}
    assert {f"com.amazonaws.us-west-2.{service}" for service in (*needed, "s3")} == endpoints


def test_s3_is_always_reached_through_a_free_gateway_endpoint_from_every_private_subnet() -> None:
    endpoint = one(vpc(), "aws:ec2/vpcEndpoint:VpcEndpoint", "lab-s3")
    assert endpoint.inputs["vpcEndpointType"] == "Gateway"
    tables = {urn.rpartition("::")[2] for urn in endpoint.property_dependencies["routeTableIds"]}
    assert tables == {f"lab-private-{zone}" for zone in ZONES}


def test_an_interface_endpoint_answers_the_vpc_only() -> None:
    plan = vpc(interface_endpoints=("ecr.api",))
    endpoint = one(plan, "aws:ec2/vpcEndpoint:VpcEndpoint", "lab-ecr-api").inputs
    assert endpoint["privateDnsEnabled"] is True
    (rule,) = one(plan, "aws:ec2/securityGroup:SecurityGroup").inputs["ingress"]
    assert (rule["fromPort"], rule["toPort"], rule["cidrBlocks"]) == (443, 443, ["10.0.0.0/16"])


def test_everything_that_can_carry_tags_carries_them() -> None:
    plan = vpc(interface_endpoints=("ecr.api",))
    untaggable = ("aws:ec2/route:Route", "aws:ec2/routeTableAssociation:RouteTableAssociation")
    made = [resource for resource in plan.resources if resource.package == "aws" and resource.type not in untaggable]
    assert len(made) > 10
    assert [resource.name for resource in made if resource.inputs["tags"].get("team") != "vision"] == []


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        (
            {"cidr": "10.0.0.0/22"},
            ["cidr: /22 given, too small, must be /21 or larger: a load balancer needs public subnets of at least /27"],
        ),
        ({"cidr": "10.0.0.0/8"}, ["cidr: /8 given, must be /16 or smaller: AWS allows no larger VPC"]),
        ({"cidr": "10.0.0.1/16"}, ["cidr: '10.0.0.1/16' given, must be an IPv4 range: 10.0.0.1/16 has host bits set"]),
        ({"zones": ["usw2-az1"]}, ["zones: 1 given, needs at least 2"]),
        ({"zones": ["usw2-az1", "usw2-az1"]}, ["zones[1]: 'usw2-az1' is listed twice"]),
        (
            {"zones": ["usw2-az1", "us-west-2a"]},
            ["zones[1]: 'us-west-2a' would share addresses with 'usw2-az1': use only zone ids"],
        ),
        (
            {"zones": ["usw2-az1", "usw2-az9"]},
            ["zones[1]: 'usw2-az9' given, must be one of the first 7 zones of a region"],
        ),
        (
            {"interfaceEndpoints": ["ecr", "sts", "sts"]},
            ["interfaceEndpoints[0]: 'ecr' given, must be one of", "interfaceEndpoints[2]: 'sts' is listed twice"],
        ),
    ],
)
def test_what_aws_would_refuse_is_refused(settings: dict[str, Any], lines: list[str]) -> None:
    check_problems(problems(NewVpcSpec, {"zones": list(ZONES), **settings}), lines)
