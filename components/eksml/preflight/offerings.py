"""Whether EC2 offers the instance types of the pools in their zones, and whether the account has these zones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial

from eksml.account import Account
from eksml.preflight.basis import Basis, Pool
from eksml.preflight.finding import Answer, Question, error, ok, warning


def questions(basis: Basis) -> Iterator[Question]:
    """The zones of the network, and for each pool what is offered there."""
    wanted = {zone_of(each.inputs) for each in basis.planned_subnets.values()} - {""}
    if wanted:
        yield Question("the zones of the network", partial(_zones, sorted(wanted)))
    for pool in basis.pools:
        if basis.subnets_of(pool):
            yield Question(f"the instance types of the pool {pool.name}", partial(_offered, pool, basis))


def zone_ids(account: Account) -> dict[str, str]:
    """The ids of the zones that the account may use, by id and by name: names differ by account. Raises Refused."""
    return account.once("zones", lambda: _find_zone_ids(account))


def zone_ids_of(subnets: list[str], basis: Basis, account: Account) -> list[str]:
    """The ids of the zones of subnets, those that the Plan makes and those that exist. Raises Refused."""
    planned = [basis.planned_subnets[each] for each in subnets if each in basis.planned_subnets]
    existing = [each for each in subnets if each not in basis.planned_subnets]
    found = [zone_ids(account).get(zone, zone) for zone in (zone_of(each.inputs) for each in planned)]
    if existing:
        answer = account.all("ec2", "describe_subnets", "Subnets", SubnetIds=existing)
        found += [each["AvailabilityZoneId"] for each in answer]
    return sorted(set(found))


def _find_zone_ids(account: Account) -> dict[str, str]:
    zones = account.ask("ec2", "describe_availability_zones")["AvailabilityZones"]
    usable = [each for each in zones if each["State"] == "available" and each.get("OptInStatus") != "not-opted-in"]
    return {each[key]: each["ZoneId"] for each in usable for key in ("ZoneName", "ZoneId")}


def zone_of(inputs: object) -> str:
    """The zone of a subnet, by id or by name; empty where it says none."""
    zone = inputs if isinstance(inputs, dict) else {}
    return str(zone.get("availabilityZoneId") or zone.get("availabilityZone") or "")


def _zones(wanted: list[str], account: Account) -> Iterator[Answer]:
    known = zone_ids(account)
    lost = [zone for zone in wanted if zone not in known]
    if lost:
        has = ", ".join(sorted(set(known.values())))
        yield error(f"the account has no {', '.join(lost)} in {account.region}", f"set network.zones to some of {has}")
    else:
        yield ok(f"the account has {', '.join(wanted)}")


def _offered(pool: Pool, basis: Basis, account: Account) -> Iterator[Answer]:
    zones = zone_ids_of(basis.subnets_of(pool), basis, account)
    offered = _find_offered(sorted({name for each in basis.pools for name in each.types}), account)
    places = {name: [zone for zone in zones if zone in offered[name]] for name in pool.types}
    elsewhere = sorted({zone for name in pool.types for zone in offered[name]} - set(zones))
    where = f"{account.region} has them in {', '.join(elsewhere)}" if elsewhere else "take another type or region"
    if not any(places.values()):
        yield error(f"{' and '.join(pool.types)} are offered in none of {', '.join(zones)}", where)
        return
    empty = [zone for zone in zones if not any(zone in found for found in places.values())]
    never = [name for name, found in places.items() if not found]
    if never:
        yield warning(f"{', '.join(never)} is offered in none of {', '.join(zones)}", f"leave it out; {where}")
    if empty:
        yield warning(
            f"in {', '.join(empty)} none of {', '.join(pool.types)} is offered",
            f"nodes come elsewhere only; set pools.{pool.name}.zones, or add a type that is offered there",
        )
    if not never and not empty:
        yield ok(f"{', '.join(pool.types)} in {', '.join(zones)}")


def _find_offered(types: list[str], account: Account) -> dict[str, set[str]]:
    """The ids of the zones in which EC2 offers each type. Raises Refused."""

    def find() -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for each in account.all(
            "ec2",
            "describe_instance_type_offerings",
            "InstanceTypeOfferings",
            LocationType="availability-zone-id",
            Filters=[{"Name": "instance-type", "Values": types}],
        ):
            found[each["InstanceType"]].add(each["Location"])
        return found

    return account.once("offerings", find)
