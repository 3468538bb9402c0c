"""Quotas: how many vCPUs, VPCs, addresses and the like there may be."""

import re
from typing import Any

import pytest

from eksml.account import Refused
from eksml.preflight import instance_quotas, other_quotas
from eksml.preflight.finding import Status
from preflight.accounts import Account, basis_of, found, moto_account, one, plan_with, stubbed
from preflight.replies import READY

pytestmark = pytest.mark.slow

G_ON_DEMAND = "the quota of Running On-Demand G"
G_SPOT = "the quota of All G"


def quota_of(value: float) -> dict[str, Any]:
    return {**READY, "service-quotas.GetServiceQuota": {"Quota": {"Value": value}}}


def run_instance(account: Account, instance_type: str, tags: dict[str, str] | None = None) -> None:
    """An instance that runs already, made behind the back of the account, which would refuse."""
    given = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
    account._session.client("ec2").run_instances(
        ImageId="ami-12c6146b",
        MinCount=1,
        MaxCount=1,
        InstanceType=instance_type,
        TagSpecifications=[{"ResourceType": "instance", "Tags": given}] if given else [],
    )


def test_fixed_nodes_beyond_a_quota_are_an_error() -> None:
    with moto_account(quota_of(95)) as (account, _):
        status, text = one(instance_quotas, basis_of(plan_with("production")), G_ON_DEMAND, account)
    assert status is Status.ERROR
    assert text.startswith(
        "95 vCPUs, 0 of them used by others; the fixed nodes of the pools need 96 | aws service-quotas"
    )
    assert "--region us-west-2 --service-code ec2 --quota-code L-DB2E81BA --desired-value 480" in text


def test_a_pool_that_can_have_no_node_is_an_error() -> None:
    with moto_account(quota_of(96)) as (account, _):
        status, text = one(instance_quotas, basis_of(plan_with("production")), G_ON_DEMAND, account)
    assert status is Status.ERROR
    assert "there is no room for one node of serve (4)" in text


def test_a_pool_that_may_have_spot_instead_is_no_error() -> None:
    with moto_account(quota_of(3)) as (account, _):
        status, _ = one(instance_quotas, basis_of(plan_with("startup")), G_SPOT, account)
    assert status is Status.WARNING


def test_pools_that_cannot_grow_to_their_limit_are_a_warning() -> None:
    with moto_account(quota_of(479)) as (account, _):
        status, text = one(instance_quotas, basis_of(plan_with("production")), G_ON_DEMAND, account)
    assert status is Status.WARNING
    assert "the pools may have up to 480" in text


def test_what_others_use_counts_and_what_is_the_platforms_own_does_not() -> None:
    basis = basis_of(plan_with("production"))
    with moto_account(quota_of(484)) as (account, _):
        run_instance(account, "g5.xlarge")
        run_instance(account, "g6.48xlarge", {"eksml:platform": "eksml-production"})
        run_instance(account, "m7i.large", {"eksml:platform": "another"})
        assert one(instance_quotas, basis, G_ON_DEMAND, account)[0] is Status.OK
        assert (
            "2 of them used by others" in one(instance_quotas, basis, "the quota of Running On-Demand Sta", account)[1]
        )
    with moto_account(quota_of(483)) as (account, _):
        run_instance(account, "g5.xlarge")
        assert one(instance_quotas, basis, G_ON_DEMAND, account)[0] is Status.WARNING


def reserved(**changes: Any) -> dict[str, Any]:
    fact = {
        "CapacityReservationId": "cr-0fedcba9876543210",
        "OwnerId": "123456789012",
        "InstanceType": "g6.xlarge",
        "ReservationType": "default",
        "AvailableInstanceCount": 1,
        **changes,
    }
    return {"ec2.DescribeCapacityReservations": {"CapacityReservations": [fact]}}


@pytest.mark.parametrize(
    ("changes", "used"),
    [
        ({}, 4),
        ({"AvailableInstanceCount": 0}, 0),
        ({"ReservationType": "capacity-block"}, 0),
        ({"OwnerId": "210987654321"}, 0),
    ],
)
def test_what_is_reserved_and_not_used_counts_as_if_it_ran(changes: dict[str, Any], used: int) -> None:
    with moto_account({**quota_of(5000), **reserved(**changes)}) as (account, _):
        text = one(instance_quotas, basis_of(plan_with("production")), G_ON_DEMAND, account)[1]
    assert f"{used} of them used by others" in text


def test_what_a_pool_has_reserved_is_not_counted_twice() -> None:
    pool = """
pools.train: {kind: managed, accelerator: nvidia, instanceTypes: [p5.48xlarge], size: 2, zones: [usw2-az1],
  capacity: {kind: reservation, id: cr-0fedcba9876543210}}
"""
    replies = {**quota_of(384), **reserved(InstanceType="p5.48xlarge", AvailableInstanceCount=2)}
    with moto_account(replies) as (account, _):
        status, text = one(
            instance_quotas, basis_of(plan_with("research", pool)), "the quota of Running On-Demand P", account
        )
    assert status is Status.OK, text


def test_a_quota_that_nobody_changed_is_that_of_everybody() -> None:
    replies = (
        ("get_service_quota", found("NoSuchResourceException")),
        ("get_aws_default_service_quota", {"Quota": {"Value": 5.0}}),
    )
    with stubbed("service-quotas", *replies) as account:
        assert instance_quotas.quota_value("vpc", "L-F678F1CE", account) == 5


def test_a_quota_without_a_value_is_not_known_and_says_why() -> None:
    reason = {"ErrorCode": "SERVICE_QUOTA_NOT_AVAILABLE_ERROR", "ErrorMessage": "try later"}
    replies = ("get_service_quota", {"Quota": {"ErrorReason": reason}})
    with stubbed("service-quotas", replies) as account, pytest.raises(Refused, match="NOT_AVAILABLE_ERROR: try later"):
        instance_quotas.quota_value("vpc", "L-F678F1CE", account)


def test_the_quota_of_a_type_that_no_source_names_is_not_known() -> None:
    pools = "pools: {train: {instanceTypes: [p6-b200.48xlarge]}}"
    basis = basis_of(plan_with("research", pools))
    with moto_account(READY) as (account, _):
        status, _ = one(instance_quotas, basis, "the quota of p6-b200.48xlarge as spot", account)
    assert status is Status.NOT_KNOWN
    with moto_account(quota_of(64)) as (account, _):
        status, text = one(instance_quotas, basis, "the quota of p6-b200.48xlarge as spot", account)
    assert status is Status.WARNING
    assert "room for its 192 vCPUs (All P4, P3 and P2 Spot Instance Requests: 64; All P5 Spot Instance" in text


def test_capacity_blocks_count_against_no_quota() -> None:
    block = """
pools.train: {kind: managed, accelerator: nvidia, instanceTypes: [p5.48xlarge], size: 1, zones: [usw2-az1],
  capacity: {kind: capacityBlock, id: cr-0123456789abcdef0}}
"""
    asked = [each.what for each in instance_quotas.questions(basis_of(plan_with("research", block)))]
    assert [what for what in asked if re.search(r"\bP", what)] == []


@pytest.mark.parametrize(
    ("what", "value", "status"),
    [
        ("the quota of VPCs", 1, Status.ERROR),
        ("the quota of VPCs", 2, Status.OK),
        ("the quota of EC2-VPC Elastic IPs", 2, Status.ERROR),
        ("the quota of EC2-VPC Elastic IPs", 3, Status.OK),
        ("the quota of NAT gateways", 0, Status.ERROR),
        ("the quota of NAT gateways", 1, Status.OK),
        ("the quota of Gateway VPC endpoints", 0, Status.ERROR),
        ("the quota of Clusters", 0, Status.ERROR),
        ("the quota of Managed node groups", 1, Status.ERROR),
        ("the quota of DB instances", 0, Status.ERROR),
        ("the quota of DB instances", 1, Status.OK),
        ("the quota of Storage for General", 5, Status.WARNING),
        ("the quota of Network interfaces", 30, Status.WARNING),
    ],
)
def test_other_quotas_are_held_against_what_the_stack_needs(what: str, value: int, status: Status) -> None:
    with moto_account(quota_of(value)) as (account, _):
        assert one(other_quotas, basis_of(plan_with("production")), what, account)[0] is status


def test_the_platforms_own_vpc_is_not_counted_twice() -> None:
    with moto_account(quota_of(2)) as (account, _):
        tags = [{"ResourceType": "vpc", "Tags": [{"Key": "eksml:platform", "Value": "eksml-production"}]}]
        account._session.client("ec2").create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tags)
        assert one(other_quotas, basis_of(plan_with("production")), "the quota of VPCs", account)[0] is Status.OK
        account._session.client("ec2").create_vpc(CidrBlock="10.1.0.0/16")
        assert one(other_quotas, basis_of(plan_with("production")), "the quota of VPCs", account)[0] is Status.ERROR


def test_nat_gateways_are_counted_in_the_zones_of_the_plan() -> None:
    what, basis = "the quota of NAT gateways", basis_of(plan_with("production"))
    with moto_account(quota_of(2)) as (account, _):
        ec2 = account._session.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        for number, zone in enumerate(("usw2-az1", "usw2-az2", "usw2-az4", "usw2-az4", "usw2-az4")):
            subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZoneId=zone)
            ec2.create_nat_gateway(SubnetId=subnet["Subnet"]["SubnetId"])
        assert one(other_quotas, basis, what, account) == (
            Status.OK,
            "2, 1 of them used by others; the stack needs 1 | ",
        )
        ec2.create_nat_gateway(
            SubnetId=ec2.describe_subnets(Filters=[{"Name": "cidr-block", "Values": ["10.0.1.0/24"]}])["Subnets"][0][
                "SubnetId"
            ]
        )
        assert one(other_quotas, basis, what, account)[0] is Status.ERROR


def test_roles_beyond_the_quota_of_iam_are_a_warning() -> None:
    full = {"SummaryMap": {"Roles": 999, "RolesQuota": 1000}}
    with moto_account({"iam.GetAccountSummary": full}) as (account, _):
        status, text = one(other_quotas, basis_of(plan_with("startup")), "the quota of IAM roles", account)
    assert status is Status.WARNING
    assert "Service Quotas" in text
