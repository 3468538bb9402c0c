"""Where EC2 offers what the pools want, and what was reserved."""

from datetime import UTC, datetime
from typing import Any

import pytest

from eksml.preflight import offerings, reservations
from eksml.preflight.finding import Status
from preflight.accounts import answers, basis_of, found, moto_account, one, plan_with
from preflight.replies import READY

pytestmark = pytest.mark.slow

ID = "cr-0123456789abcdef0"
RESERVED = f"""
pools.train: {{kind: managed, accelerator: nvidia, instanceTypes: [p5.48xlarge], size: 2, zones: [usw2-az1],
  capacity: {{kind: reservation, id: {ID}}}}}
"""
ELASTIC = f"pools.serve.reservationIds: [{ID}]"


def offered(*pairs: tuple[str, str]) -> dict[str, Any]:
    listed = [{"InstanceType": name, "LocationType": "availability-zone-id", "Location": zone} for name, zone in pairs]
    return {**READY, "ec2.DescribeInstanceTypeOfferings": {"InstanceTypeOfferings": listed}}


def reservation(**changes: Any) -> dict[str, Any]:
    fact = {
        "CapacityReservationId": ID,
        "State": "active",
        "InstanceType": "p5.48xlarge",
        "AvailabilityZoneId": "usw2-az1",
        "ReservationType": "default",
        "TotalInstanceCount": 2,
        "AvailableInstanceCount": 2,
        **changes,
    }
    return {"ec2.DescribeCapacityReservations": {"CapacityReservations": [fact]}}


def test_types_that_no_zone_offers_are_an_error_that_says_where_they_are() -> None:
    with moto_account(offered(("g6.12xlarge", "usw2-az4"))) as (account, _):
        status, text = one(
            offerings, basis_of(plan_with("production")), "the instance types of the pool train", account
        )
    assert status is Status.ERROR
    assert "g6.12xlarge are offered in none of usw2-az1, usw2-az2, usw2-az3 | us-west-2 has them in usw2-az4" in text


def test_a_zone_without_any_type_and_a_type_without_any_zone_are_warnings() -> None:
    replies = offered(("g6.12xlarge", "usw2-az1"), ("g6.12xlarge", "usw2-az2"), ("g5.12xlarge", "usw2-az2"))
    with moto_account(replies) as (account, _):
        given = answers(offerings, basis_of(plan_with("production")), "the instance types of the pool burst", account)
    assert [answer.status for answer in given] == [Status.WARNING, Status.WARNING]
    assert given[0].text.startswith("g6e.12xlarge is offered in none")
    assert given[1].text.startswith("in usw2-az3 none of")


def test_zones_that_the_account_does_not_have_are_an_error() -> None:
    zones = [{"ZoneName": "us-west-2a", "ZoneId": "usw2-az2", "State": "available"}]
    with moto_account({**READY, "ec2.DescribeAvailabilityZones": {"AvailabilityZones": zones}}) as (account, _):
        status, text = one(offerings, basis_of(plan_with("startup")), "the zones of the network", account)
    assert status is Status.ERROR
    assert "no usw2-az1, usw2-az3 in us-west-2" in text


def test_zones_may_be_given_by_name() -> None:
    basis = basis_of(plan_with("startup", "network.zones: [us-west-2a, us-west-2b]"))
    with moto_account(READY) as (account, _):
        assert one(offerings, basis, "the zones of the network", account)[0] is Status.OK
        assert one(offerings, basis, "the instance types of the pool gpu", account)[0] is Status.OK


@pytest.mark.parametrize(
    "settings", [RESERVED, ELASTIC + "\npools.serve.instanceTypes: [p5.48xlarge]\npools.serve.gpuLimit: 16"]
)
def test_a_reservation_that_fits_is_well(settings: str) -> None:
    with moto_account({**READY, **reservation()}) as (account, _):
        status, text = one(
            reservations, basis_of(plan_with("research", settings)), f"the capacity reservation {ID}", account
        )
    assert (status, text) == (Status.OK, "active, 2 of 2 × p5.48xlarge free | ")


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        ({"State": "expired"}, Status.ERROR, "is expired"),
        ({"InstancePlatform": "Windows"}, Status.ERROR, "is for Windows, and nodes are Linux/UNIX"),
        ({"State": "scheduled", "StartDate": datetime(2026, 12, 1, tzinfo=UTC)}, Status.WARNING, "until 2026-12-01"),
        ({"InstanceType": "p4d.24xlarge"}, Status.ERROR, "is of p4d.24xlarge, and the pool train of p5.48xlarge"),
        ({"AvailabilityZoneId": "usw2-az3"}, Status.ERROR, "is in usw2-az3, and the pool train in usw2-az1"),
        ({"ReservationType": "capacity-block"}, Status.ERROR, "capacity.kind to capacityBlock"),
        ({"TotalInstanceCount": 1}, Status.ERROR, "has 1 instances, and the pool train has 2 nodes"),
    ],
)
def test_a_reservation_that_does_not_fit_says_what_would(changes: dict[str, Any], status: Status, text: str) -> None:
    with moto_account({**READY, **reservation(**changes)}) as (account, _):
        given = one(reservations, basis_of(plan_with("research", RESERVED)), f"the capacity reservation {ID}", account)
    assert given[0] is status
    assert text in given[1]


def test_a_reservation_that_others_use_is_too_small() -> None:
    instances = [
        {"InstanceType": "p5.48xlarge", "CapacityReservationId": ID, "Tags": tags}
        for tags in ([], [{"Key": "eksml:platform", "Value": "eksml-research"}])
    ]
    running = {"ec2.DescribeInstances": {"Reservations": [{"Instances": instances}]}}
    with moto_account({**READY, **reservation(), **running}) as (account, _):
        given = one(reservations, basis_of(plan_with("research", RESERVED)), f"the capacity reservation {ID}", account)
    assert given[0] is Status.ERROR
    assert "has 2 instances, 1 of them used by others, and the pool train has 2 nodes" in given[1]


def test_a_capacity_block_says_when_it_ends() -> None:
    block = RESERVED.replace("reservation, id", "capacityBlock, id")
    ends = {"ReservationType": "capacity-block", "EndDate": datetime(2026, 12, 8, 11, 30, tzinfo=UTC)}
    with moto_account({**READY, **reservation(**ends)}) as (account, _):
        given = one(reservations, basis_of(plan_with("research", block)), f"the capacity reservation {ID}", account)
    assert given == (Status.OK, "active, 2 of 2 × p5.48xlarge free, until 2026-12-08 11:30 UTC | ")


def test_a_reservation_that_is_not_there_is_an_error() -> None:
    replies = {**READY, "ec2.DescribeCapacityReservations": found("InvalidCapacityReservationId.NotFound")}
    with moto_account(replies) as (account, _):
        given = one(reservations, basis_of(plan_with("research", RESERVED)), f"the capacity reservation {ID}", account)
    assert given[0] is Status.ERROR
