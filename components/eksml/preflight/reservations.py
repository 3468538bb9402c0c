"""Whether the capacity reservations and Capacity Blocks of the pools are there, and fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from eksml.account import Account
from eksml.checks.nodes import NODE_CLASS
from eksml.plan import Resource
from eksml.preflight.basis import RESERVATION, Basis, Pool
from eksml.preflight.finding import Answer, Question, error, ok, warning
from eksml.preflight.instance_quotas import running
from eksml.preflight.offerings import zone_ids_of

_LINUX = "Linux/UNIX"
_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"


def questions(basis: Basis) -> Iterator[Question]:
    """Whether each reservation exists, and is what its pools take it for."""
    for reservation, resources in basis.named(RESERVATION).items():
        pools = [pool for pool in basis.pools if any(_names(resource, pool, basis) for resource in resources)]
        yield Question(f"the capacity reservation {reservation}", partial(_reservation, reservation, pools, basis))


def _names(resource: Resource, pool: Pool, basis: Basis) -> bool:
    """Whether a launch template or a node class is that of a pool."""
    if resource.type == _TEMPLATE:
        return pool.is_fixed and resource.urn in _needs(pool.resource)
    if resource.type != NODE_CLASS or pool.is_fixed:
        return False
    wanted = pool.resource.inputs["spec"]["template"]["spec"].get("nodeClassRef") or {}
    return resource.inputs["metadata"].get("name") == wanted.get("name")


def _needs(group: Resource) -> tuple[str, ...]:
    return group.property_dependencies.get("launchTemplate", group.dependencies)


def _reservation(name: str, pools: list[Pool], basis: Basis, account: Account) -> Iterator[Answer]:
    absent = ("InvalidCapacityReservationId.NotFound", "InvalidCapacityReservationId.Malformed")
    found = account.find("ec2", "describe_capacity_reservations", *absent, CapacityReservationIds=[name])
    reservation = next(iter(found["CapacityReservations"] if found else ()), None)
    if reservation is None:
        yield error(f"is not in {account.region} of this account", "look at `aws ec2 describe-capacity-reservations`")
        return
    problems = [
        *_state(reservation),
        *_platform(reservation),
        *(problem for pool in pools for problem in _misfits(reservation, pool, basis, account)),
    ]
    yield from problems
    if not problems:
        there = f"{reservation['AvailableInstanceCount']} of {reservation['TotalInstanceCount']}"
        yield ok(f"{reservation['State']}, {there} × {reservation['InstanceType']} free{_until(reservation)}")


def _until(reservation: Mapping[str, Any]) -> str:
    return f", until {reservation['EndDate']:%Y-%m-%d %H:%M} UTC" if reservation.get("EndDate") else ""


def _state(reservation: Mapping[str, Any]) -> Iterator[Answer]:
    state = reservation["State"]
    if state in ("scheduled", "pending", "payment-pending", "assessing", "delayed"):
        begins = f" until {reservation['StartDate']:%Y-%m-%d %H:%M} UTC" if reservation.get("StartDate") else ""
        yield warning(f"is {state}: it has no instances yet{begins}", "nodes come once it is active; until then size 0")
    elif state != "active":
        yield error(f"is {state}", "name one that is active")


def _platform(reservation: Mapping[str, Any]) -> Iterator[Answer]:
    """Instances run in one only if they are for its platform: those of EKS's images for Linux are Linux/UNIX."""
    platform = reservation.get("InstancePlatform", _LINUX)
    if platform != _LINUX:
        yield error(f"is for {platform}, and nodes are {_LINUX}", f"name one that is for {_LINUX}")


def _misfits(reservation: Mapping[str, Any], pool: Pool, basis: Basis, account: Account) -> Iterator[Answer]:
    kind = reservation["InstanceType"]
    if kind not in pool.types:
        yield error(
            f"is of {kind}, and the pool {pool.name} of {', '.join(pool.types)}", f"set its instanceTypes to {kind}"
        )
    zones, zone = zone_ids_of(basis.subnets_of(pool), basis, account), reservation.get("AvailabilityZoneId")
    if zone and zone not in zones:
        yield error(f"is in {zone}, and the pool {pool.name} in {', '.join(zones)}", f"set its zones to {zone}")
    is_block = reservation.get("ReservationType") == "capacity-block"
    if pool.is_fixed and is_block is not ("block" in pool.capacity):
        right = "capacityBlock" if is_block else "reservation"
        yield error(
            f"is {'a' if is_block else 'no'} Capacity Block, and the pool {pool.name} takes it for the other",
            f"set pools.{pool.name}.capacity.kind to {right}",
        )
    size = max((pool.most(node) or 0 for node in pool.nodes), default=0) if pool.is_fixed else 0
    total, others = reservation["TotalInstanceCount"], _others(reservation, basis, account)
    if size > total - others:
        used = f", {others} of them used by others" if others else ""
        yield error(
            f"has {total} instances{used}, and the pool {pool.name} has {size} nodes",
            f"set pools.{pool.name}.size to {total - others}, or free instances of it"
            if others
            else f"set pools.{pool.name}.size to {total}",
        )


def _others(reservation: Mapping[str, Any], basis: Basis, account: Account) -> int:
    """How many instances that are not the platform's own run in a reservation."""
    name = reservation["CapacityReservationId"]
    return sum(
        each.get("CapacityReservationId") == name and not basis.is_own(each.get("Tags")) for each in running(account)
    )
