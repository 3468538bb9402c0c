"""What the jobs of a Plan cost for some hours: the nodes that they take, whoever else may be on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from eksml import names
from eksml.catalog import NO_PRICES, PriceList
from eksml.checks.queues import queued
from eksml.checks.scheduling import may_run
from eksml.checks.workloads import Workload
from eksml.costs.amounts import Range
from eksml.costs.assumptions import Assumptions, Consulted
from eksml.costs.basis import Basis, region_of
from eksml.costs.demand import fits, is_job, room_of, size_of
from eksml.costs.offers import Offer, offers_of
from eksml.costs.runs import check_amount
from eksml.errors import InputError
from eksml.plan import Plan

# It runs for minutes now and then, which is not for how many hours somebody asks.
_NOW_AND_THEN = "CronJob"


@dataclass(frozen=True)
class JobNodes:
    """Nodes of one kind that jobs take."""

    pool: str
    instance_type: str
    count: int
    capacity: str
    """On demand, spot, or both, as a person reads it."""
    is_elastic: bool
    """Whether they come for the job and go with it; the others are there, and billed, anyway."""
    usd: Range
    """For all of them, for all hours."""
    source: str
    price_date: str
    """When the on-demand price was read: a day or a month."""


@dataclass(frozen=True)
class JobCost:
    """What the jobs of a Plan cost."""

    jobs: tuple[str, ...]
    """Their names."""
    region: str
    hours: float
    nodes: tuple[JobNodes, ...]

    @property
    def usd(self) -> Range:
        """US dollars for the nodes, without storage, data transfer and the rest of the platform."""
        return Range.sum_of(each.usd for each in self.nodes)


@dataclass
class _Place:
    """A node that pods of jobs take."""

    offer: Offer
    left: dict[str, int]


def job_cost(plan: Plan, hours: float, prices: PriceList = NO_PRICES) -> JobCost:
    """What the jobs that a Plan itself has, not its platform, cost if they run at once, for so many hours.

    Raises InputError where there is no job, no node takes it, or nothing says what that costs.
    """
    check_amount("hours", hours)
    whole = plan.with_platform
    basis = Basis(whole, region_of(whole), Consulted(Assumptions()), prices)
    jobs = [each for each in queued(whole) if _is_asked_for(each, plan)]
    if not jobs:
        raise InputError(f"{plan.stack}: no job in it; `eksml cost` prices whole stacks")
    found: dict[Offer, int] = {}
    for place in _places(jobs, offers_of(basis), basis):
        found[place.offer] = found.get(place.offer, 0) + 1
    nodes = tuple(_nodes(offer, count, hours) for offer, count in found.items())
    titles = dict.fromkeys(_title(job) for job in jobs)
    return JobCost(tuple(titles), basis.region, hours, nodes)


def _is_asked_for(workload: Workload, plan: Plan) -> bool:
    return is_job(workload) and workload.kind != _NOW_AND_THEN and workload.resource.urn in plan.by_urn


def _title(job: Workload) -> str:
    return str((job.resource.inputs.get("metadata") or {}).get("name", job.resource.name))


def _places(jobs: Iterable[Workload], offers: Sequence[Offer], basis: Basis) -> Iterator[_Place]:
    """The nodes that pods take: those that are there anyway before others, cheap ones before dear ones."""
    daemon_sets = [each for each in queued(basis.plan) if each.kind == "DaemonSet"]
    room = {offer: room_of(offer.node, daemon_sets) for offer in offers}
    taken: list[_Place] = []
    for job in sorted(jobs, key=size_of, reverse=True):
        able = [offer for offer in offers if may_run(job.pod, offer.node) and fits(job, room[offer])]
        if not able:
            raise InputError(
                f"no pool has a node for {job.name} whose price is known; `eksml check` says whether it has one at all"
            )
        best = min(able, key=lambda offer: (offer.is_elastic, offer.usd.expected, offer.node.instance_type))
        for _ in range(job.count):
            place = next((each for each in taken if _takes(each, job)), None)
            if place is None:
                place = _Place(best, dict(room[best]))
                taken.append(place)
                yield place
            for key, amount in job.requests.items():
                place.left[key] = place.left.get(key, 0) - amount


def _takes(place: _Place, job: Workload) -> bool:
    return may_run(job.pod, place.offer.node) and fits(job, place.left)


def _nodes(offer: Offer, count: int, hours: float) -> JobNodes:
    node = offer.node
    return JobNodes(
        node.labels.get(names.POOL_LABEL, node.pool.name),
        node.instance_type,
        count,
        offer.capacity,
        offer.is_elastic,
        offer.usd * (count * hours),
        offer.source,
        offer.price_date,
    )
