"""How many vCPUs may run: the quotas of the instance families that the pools use, against what they may have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from math import ceil
from typing import Any, NamedTuple

from eksml import catalog
from eksml.catalog import InstanceQuota, Purchase
from eksml.checks.nodes import Node
from eksml.preflight.account import Account, Refused
from eksml.preflight.basis import Basis, Pool
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
                yield Question(f"the quota of {node.instance_type} as spot", _no_source)


def quota_value(service: str, code: str, account: Account) -> float:
    """What a quota is in the region: what the account was granted, or what everybody has. Raises Refused."""
    wanted = {"ServiceCode": service, "QuotaCode": code}
    try:
        return float(account.ask("service-quotas", "get_service_quota", **wanted)["Quota"]["Value"])
    except Refused as refusal:
        if refusal.code != "NoSuchResourceException":
            raise
    return float(account.ask("service-quotas", "get_aws_default_service_quota", **wanted)["Quota"]["Value"])


def request(service: str, code: str, wanted: float, region: str) -> str:
    """The command that asks for a larger quota."""
    return (
        f"aws service-quotas request-service-quota-increase --region {region} --service-code {service} "
        f"--quota-code {code} --desired-value {ceil(wanted)}"
    )


def _no_source(_account: Account) -> Iterator[Answer]:
    yield not_known("no source says which quota it counts against", "look at the quotas of EC2 in the console")


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


def _used(basis: Basis, account: Account) -> Counter[str]:
    """The vCPUs of running instances that are not the platform's own, by quota. Raises Refused."""
    return account.once("vcpus", lambda: Counter(dict(_sums(basis, account))))


def _sums(basis: Basis, account: Account) -> Iterator[tuple[str, int]]:
    sums: Counter[str] = Counter()
    states = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    for reservation in account.all("ec2", "describe_instances", "Reservations", Filters=states):
        for instance in reservation["Instances"]:
            bought = {"spot": "spot", "capacity-block": None}.get(instance.get("InstanceLifecycle", ""), "onDemand")
            quota = catalog.instance_quota(instance["InstanceType"], bought) if bought else None
            if quota and not basis.is_own(instance.get("Tags")):
                sums[quota.code] += _vcpus(instance)
    yield from sums.items()


def _vcpus(instance: dict[str, Any]) -> int:
    fact = catalog.instance_types().get(instance["InstanceType"])
    cpu = instance.get("CpuOptions") or {}
    return fact.vcpu if fact else cpu.get("CoreCount", 1) * cpu.get("ThreadsPerCore", 1)
