"""What a team may use: of each pool GPUs or vCPUs, and the rest of a node in proportion; or limits in all."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from math import ceil
from typing import Annotated, NamedTuple

from pydantic import Field

from eksml import names
from eksml.catalog import InstanceType
from eksml.errors import Problem
from eksml.nodes.karpenter_pool import KarpenterPoolSpec
from eksml.nodes.managed_pool import ManagedPoolSpec
from eksml.nodes.sharing import shares
from eksml.spec import Spec

Amount = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]


class PoolQuota(Spec):
    """A team's part of one pool, by default all of it; memory and the rest come in proportion."""

    gpus: Amount | None = None
    """GPUs that are always the team's, or shares of GPUs where the pool shares them."""
    vcpus: Amount | None = None
    """vCPUs that are always the team's, of a pool without GPUs."""
    borrow: Amount = 0
    """How many more the team may use while others leave theirs idle."""

    def rules(self) -> Iterator[Problem]:
        """One unit, for a pool has one."""
        if self.gpus is not None and self.vcpus is not None:
            yield Problem((), "has both gpus, for a pool with GPUs, and vcpus, for one without: give one of them")

    def nominal(self, pool: ManagedPoolSpec | KarpenterPoolSpec) -> int:
        """What is always the team's, in the unit of the pool."""
        given = self.gpus if pool.has_gpus else self.vcpus
        return capacity(pool) if given is None else given


class TeamLimits(Spec):
    """What the pods of a team may ask for together, on nodes that are no pools of the stack."""

    vcpus: Amount
    """vCPUs."""
    memory_gib: Amount
    """Memory in GiB."""
    gpus: Amount = 0
    """GPUs, or shares of GPUs where the cluster shares them."""

    def amounts(self) -> dict[str, int]:
        """The same by resource, in the units of Share."""
        return {CPU: self.vcpus * 1000, MEMORY: self.memory_gib * 1024, names.GPU_RESOURCE: self.gpus}


class Share(NamedTuple):
    """An amount of one resource, in its smallest unit: cores in thousandths, memory in MiB, others whole."""

    nominal: int
    borrow: int

    def times(self, factor: float) -> Share:
        """So many times as much, rounded up."""
        return Share(ceil(self.nominal * factor), ceil(self.borrow * factor))


CPU, MEMORY = "cpu", "memory"


def quantity(resource: str, amount: int) -> str:
    """An amount as Kubernetes writes it, in its shortest form, which the API server keeps as it is."""
    if resource == CPU:
        return f"{amount}m" if amount % 1000 else str(amount // 1000)
    if resource != MEMORY or not amount:
        return str(amount)
    units = ["Mi", "Gi", "Ti"]
    while amount % 1024 == 0 and len(units) > 1:
        amount, units = amount // 1024, units[1:]
    return f"{amount}{units[0]}"


def capacity(pool: ManagedPoolSpec | KarpenterPoolSpec) -> int:
    """The most that a pool can hold at once: GPUs or shares of them, or vCPUs where it has no GPUs."""
    if isinstance(pool, KarpenterPoolSpec):
        per_gpu = max((shares(pool.sharing, fact) for fact in pool.facts), default=1)
        return (pool.gpu_limit or 0) * per_gpu if pool.has_gpus else pool.cpu_limit or 0
    # EKS takes whichever of its types it can get: what is certain is the smallest.
    return pool.size * min((_units(pool, fact) for fact in pool.facts), default=0)


def shares_of(pool: ManagedPoolSpec | KarpenterPoolSpec, quota: PoolQuota) -> dict[str, Share]:
    """What a quota means in each resource that a pod can ask for, generous where the types of a pool differ."""
    unit = Share(quota.nominal(pool), quota.borrow)
    facts = [fact for fact in pool.facts if _units(pool, fact)]
    shares = {
        CPU: unit.times(max((fact.pod_millicpu / _units(pool, fact) for fact in facts), default=0)),
        MEMORY: unit.times(max((fact.pod_memory_mib / _units(pool, fact) for fact in facts), default=0)),
        names.GPU_RESOURCE: unit if pool.has_gpus else Share(0, 0),
    }
    if pool.efa:
        shares[names.EFA_RESOURCE] = unit.times(max(fact.efa_interfaces / _units(pool, fact) for fact in facts))
    return shares


def team_tag(pool: str, pools_of_teams: Mapping[str, Collection[str]]) -> dict[str, str]:
    """The tag of a pool that one team has alone, by the pools that each team may use; of others there is none."""
    teams = [team for team, pools in pools_of_teams.items() if pool in pools]
    return {names.TEAM_TAG: teams[0]} if len(teams) == 1 else {}


def total_of(shares: Mapping[str, Mapping[str, Share]]) -> dict[str, int]:
    """Over all pools, the most of each resource that a team can use: its own and what it may borrow."""
    resources = {resource for each in shares.values() for resource in each}
    return {
        resource: sum(sum(each[resource]) for each in shares.values() if resource in each)
        for resource in sorted(resources)
    }


def _units(pool: ManagedPoolSpec | KarpenterPoolSpec, fact: InstanceType) -> int:
    return pool.gpus_of(fact) if pool.has_gpus else fact.vcpu
