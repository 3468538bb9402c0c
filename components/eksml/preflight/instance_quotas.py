"""How many vCPUs may run: the quotas of the instance families that the pools use, against what they may have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from math import ceil
from typing import Any, NamedTuple

from eksml import catalog
from eksml.account import Account, Refused
from eksml.catalog import InstanceQuota, Purchase
from eksml.checks.nodes import Node
from eksml.preflight.basis import RESERVATION, Basis, Pool
from eksml.preflight.finding import Answer, Question, error, not_known, ok, warning

_PURCHASES: dict[str, Purchase] = {"spot": "spot", "demand": "onDemand"}


class _Need(NamedTuple):
    """What the pools want of a quota, in vCPUs."""

    fixed: int
    """Of the nodes that come with `pulumi up`."""
    most: int | None
    """Of as many nodes as there may be; None: there is no limit."""
    first: dict[str, int]
    """Of the smallest node of each pool that has nodes of this quota alone."""


def questions(basis: Basis) -> Iterator[Question]:
    """Whether each quota has room for what the pools may have."""
    for quota in catalog.quotas().instances:
        if any(_nodes(pool, quota) for pool in basis.pools):
            yield Question(f"the quota of {quota.name}", partial(_quota, quota, basis))
    for pool in basis.pools:
        for node in pool.nodes:
            if "spot" in pool.capacity and catalog.instance_quota(node.instance_type, "spot") is None:
                yield Question(f"the quota of {node.instance_type} as spot", partial(_no_source, node))


def quota_value(service: str, code: str, account: Account) -> float:
    """What a quota is in the region: what the account was granted, or what everybody has. Raises Refused."""
    wanted = {"ServiceCode": service, "QuotaCode": code}
    found = account.find("service-quotas", "get_service_quota", "NoSuchResourceException", **wanted)
    if found is None:
        found = account.ask("service-quotas", "get_aws_default_service_quota", **wanted)
    quota = found["Quota"]
    if quota.get("Value") is None:
        # Service Quotas asks the service, which may have an answer for nobody.
        reason = quota.get("ErrorReason") or {}
        raise Refused("servicequotas:GetServiceQuota", reason.get("ErrorCode", "?"), reason.get("ErrorMessage", ""))
    return float(quota["Value"])


def request(service: str, code: str, wanted: float, region: str) -> str:
    """The command that asks for a larger quota."""
    return (
        f"aws service-quotas request-service-quota-increase --region {region} --service-code {service} "
        f"--quota-code {code} --desired-value {ceil(wanted)}"
    )


def _no_source(node: Node, account: Account) -> Iterator[Answer]:
    """Of a type that no source places: it is one of its letter, or one that AWS has added."""
    letter = node.instance_type[0]
    likely = [
        quota
        for quota in catalog.quotas().instances
        if quota.purchase == "spot" and all(family.startswith(letter) for family in quota.families)
    ]
    values = {quota.name: quota_value("ec2", quota.code, account) for quota in likely}
    listed = "; ".join(f"{name}: {value:g}" for name, value in values.items())
    if values and max(values.values()) < node.fact.vcpu:
        yield warning(
            f"none that it may count against has room for its {node.fact.vcpu} vCPUs ({listed})",
            "ask for more in Service Quotas, or let the pool have it on demand",
        )
    else:
        yield not_known(
            f"no source says which one it counts against ({listed})", "look at the quotas of EC2 in the console"
        )


def _quota(quota: InstanceQuota, basis: Basis, account: Account) -> Iterator[Answer]:
    has = quota_value("ec2", quota.code, account)
    used = _used(basis, account)[quota.code]
    need, free = _need(quota, basis), has - used
    state = f"{has:g} vCPUs, {used} of them used by others"
    ask = request("ec2", quota.code, used + (need.fixed if need.most is None else need.most), basis.region)
    small = {name: vcpu for name, vcpu in need.first.items() if need.fixed + vcpu > free}
    if need.fixed > free:
        yield error(f"{state}; the fixed nodes of the pools need {need.fixed}", ask)
    elif small:
        pools = ", ".join(f"{name} ({vcpu})" for name, vcpu in small.items())
        yield error(f"{state}; beside fixed nodes ({need.fixed}) there is no room for one node of {pools}", ask)
    elif need.most is None:
        yield warning(f"{state}; the pools have no limit", "give each Karpenter pool a limit")
    elif need.most > free:
        yield warning(f"{state}; the pools may have up to {need.most}", ask)
    else:
        yield ok(f"{state}; the pools may have up to {need.most}")


def _need(quota: InstanceQuota, basis: Basis) -> _Need:
    fixed, most, first = 0, 0, {}
    unlimited = False
    for pool in basis.pools:
        counts = [(node, pool.most(node)) for node in _nodes(pool, quota)]
        sizes = [node.fact.vcpu * count for node, count in counts if count is not None]
        if pool.is_fixed:
            fixed += max(sizes, default=0)
        else:
            most += max(sizes, default=0)
            unlimited |= any(count is None for _, count in counts)
        if counts and not pool.is_fixed and _quotas_of(pool) == {quota.code}:
            first[pool.name] = min(node.fact.vcpu for node, _ in counts)
    return _Need(fixed, None if unlimited else fixed + most, first)


def _nodes(pool: Pool, quota: InstanceQuota) -> list[Node]:
    """The nodes of a pool that count against a quota."""
    return [node for node in pool.nodes if quota.code in _quotas(pool, node)]


def _quotas(pool: Pool, node: Node) -> set[str | None]:
    """The codes of the quotas that a node may count against; none of them is one for a Capacity Block."""
    found = (catalog.instance_quota(node.instance_type, _PURCHASES[kind]) for kind in pool.capacity & set(_PURCHASES))
    return {quota.code if quota else None for quota in found}


def _quotas_of(pool: Pool) -> set[str | None]:
    return {code for node in pool.nodes for code in _quotas(pool, node)}


def running(account: Account) -> list[Mapping[str, Any]]:
    """The instances that count against quotas. Raises Refused."""
    states = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    pages = {"PageSize": 1000}

    def find() -> list[Mapping[str, Any]]:
        found = account.all("ec2", "describe_instances", "Reservations", Filters=states, PaginationConfig=pages)
        return [instance for each in found for instance in each["Instances"]]

    return account.once("instances", find)


def _used(basis: Basis, account: Account) -> Counter[str]:
    """The vCPUs that are not the platform's own, by quota. Raises Refused."""
    used: Counter[str] = Counter()
    for instance in running(account):
        bought = {"spot": "spot", "capacity-block": None}.get(instance.get("InstanceLifecycle", ""), "onDemand")
        quota = catalog.instance_quota(instance["InstanceType"], bought) if bought else None
        if quota and not basis.is_own(instance.get("Tags")):
            used[quota.code] += _vcpus(instance)
    own = basis.named(RESERVATION)
    for reservation in account.once("reservations", lambda: _reserved(account)):
        quota = catalog.instance_quota(reservation["InstanceType"], "onDemand")
        fact = catalog.instance_types().get(reservation["InstanceType"])
        # What runs in one is counted above; what a pool has reserved is what its nodes will take.
        if quota and fact and reservation["CapacityReservationId"] not in own:
            used[quota.code] += fact.vcpu * reservation["AvailableInstanceCount"]
    return used


def _reserved(account: Account) -> list[Mapping[str, Any]]:
    """The account's own capacity reservations, which count while nothing runs in them; Capacity Blocks do not.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-capacity-reservations.html
    """
    states = [{"Name": "state", "Values": ["active"]}]
    return [
        each
        for each in account.all("ec2", "describe_capacity_reservations", "CapacityReservations", Filters=states)
        if each.get("ReservationType") != "capacity-block" and each.get("OwnerId") == account.identity.account
    ]


def _vcpus(instance: Mapping[str, Any]) -> int:
    fact = catalog.instance_types().get(instance["InstanceType"])
    cpu = instance.get("CpuOptions") or {}
    return fact.vcpu if fact else cpu.get("CoreCount", 1) * cpu.get("ThreadsPerCore", 1)
