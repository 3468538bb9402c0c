"""A VPC that somebody else made."""

from eksml.network.existing_vpc import ExistingVpcSpec
from eksml.spec import parse
from refusals import check_problems, problems

VPC = {"kind": "existing", "vpcId": "vpc-0123456789abcdef0"}


def test_it_is_known_by_its_id_and_subnets() -> None:
    subnets = {"usw2-az1": "subnet-0123456789abcdef0", "usw2-az2": "subnet-0123456789abcdef1"}
    spec = parse(ExistingVpcSpec, {**VPC, "privateSubnets": subnets})
    assert spec.private_subnets == subnets
    assert spec.public_subnets == {}


def test_a_vpc_without_subnets_is_refused() -> None:
    check_problems(problems(ExistingVpcSpec, VPC), ["privateSubnets: missing"])
    check_problems(
        problems(ExistingVpcSpec, {**VPC, "privateSubnets": {}}), ["privateSubnets: empty, needs at least 2"]
    )


def test_a_subnet_is_in_one_zone_and_either_private_or_public() -> None:
    one, other = "subnet-0123456789abcdef0", "subnet-0123456789abcdef1"
    subnets = {
        "privateSubnets": {"usw2-az1": one, "usw2-az2": one},
        "publicSubnets": {"usw2-az1": other, "usw2-az2": one},
    }
    assert problems(ExistingVpcSpec, {**VPC, **subnets}) == [
        f"privateSubnets.usw2-az2: '{one}' is at privateSubnets.usw2-az1 already",
        f"publicSubnets.usw2-az2: '{one}' is at privateSubnets.usw2-az1 already",
    ]
