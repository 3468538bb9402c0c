"""The nodes of pools: those of a managed group, of which there is a fixed number, and those that Karpenter brings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from eksml import names
from eksml.checks.nodes import NODE_GROUP, NODE_POOL, nodes_of
from eksml.costs.amounts import HOURS_PER_MONTH, Range
from eksml.costs.basis import Basis, Line
from eksml.costs.bill import Item, NotPriced
from eksml.costs.demand import UsedNode, used_nodes
from eksml.costs.notebooks import notebook_pools
from eksml.costs.offers import Offer, offers_of, why_no_price
from eksml.costs.shares import main_resource, promised_to_teams, quota_shares
from eksml.costs.working_hours import days_of_elastic_nodes, hours_of_elastic_nodes, hours_of_group, hours_of_use

_ALL_DAYS = HOURS_PER_MONTH / 24


class _Use(NamedTuple):
    """What becomes of a pool: how many nodes, what for, and whose."""

    usual: Offer
    """What most of them are."""
    what: str
    nodes: Range
    """In a month, on average."""
    usd: Range
    """For an hour of a node."""
    purposes: Mapping[str, float]
    shares: Mapping[str, float]


def pool_lines(basis: Basis) -> Iterator[Line]:
    """The nodes of every pool and their disks."""
    yield from _without_price(basis)
    offers = offers_of(basis)
    used = used_nodes(offers, basis)
    for pool, group in groupby(offers, key=lambda offer: offer.node.pool.urn):
        own = list(group)
        if own[0].is_elastic:
            use = _elastic(own, [each for each in used if each.offer.node.pool.urn == pool], basis)
        else:
            use = _managed(own, basis)
        yield _nodes(use)
        yield _disks(use, basis)


def _without_price(basis: Basis) -> Iterator[NotPriced]:
    nodes, priced = nodes_of(basis.plan), {(each.node.pool.urn, each.node.instance_type) for each in offers_of(basis)}
    for node in nodes:
        if (node.pool.urn, node.instance_type) not in priced:
            yield basis.not_priced(node.pool, node.instance_type, why_no_price(node, basis))
    known = {node.pool.urn for node in nodes}
    for pool in (*basis.plan.of_type(NODE_GROUP), *basis.plan.of_type(NODE_POOL)):
        if pool.urn not in known:
            yield basis.not_priced(pool, "nodes", "the catalog has none of its instance types")


def _managed(offers: Sequence[Offer], basis: Basis) -> _Use:
    """EKS takes whichever type of a group it can get; expected is the first."""
    count, first = offers[0].most or 0, offers[0]
    usd = Range(
        min(each.usd.at_least for each in offers), first.usd.expected, max(each.usd.most or 0 for each in offers)
    )
    types = " or ".join(offer.node.instance_type for offer in offers)
    hours = hours_of_group(first.node.pool, basis.plan, has_gpus=bool(first.node.gpus))
    what = f"{count} × {types}{_a_day(hours, _ALL_DAYS)}, {first.capacity}"
    nodes = Range.exactly(count * hours / HOURS_PER_MONTH)
    return _Use(first, what, nodes, usd, {_purpose(offers, basis): 1.0}, quota_shares(offers, basis))


def _elastic(offers: Sequence[Offer], used: list[UsedNode], basis: Basis) -> _Use:
    """At least those that are never gone; expected what the Plan's pods ask for; at most what the limits allow."""
    if not any(each.is_always_needed for each in used):
        used = [*used, *_full_of_jobs(offers, used, basis)]
    used_hours = sum(each.hours for each in used)
    always = [each for each in used if each.is_always_needed]
    always_hours = sum(each.hours for each in always)
    spent = sum(each.hours * each.offer.usd.expected for each in used)
    fullest = _fullest(offers)
    if fullest is None:
        limit, count, dearest_hour = "without a limit", None, max(each.usd.most or 0 for each in offers)
    else:
        limit = f"at most {' and '.join(f'{each} × {offer.node.instance_type}' for offer, each in fullest.items())}"
        # There may be more nodes of a cheaper type, each with disks of its own.
        count = max(len(used), *(offer.most or 0 for offer in offers))
        dearest_hours = [each * (offer.usd.most or 0) for offer, each in fullest.items()]
        # The pods of the Plan may ask for a mix that costs more than this.
        dearest_hour = max(sum(dearest_hours), sum(each.offer.usd.most or 0 for each in used)) / (count or 1)
    least_spent = sum(each.hours * each.least_usd for each in always)
    usd = Range(
        least_spent / always_hours if always_hours else min(each.usd.at_least for each in offers),
        spent / used_hours if used_hours else offers[0].usd.expected,
        dearest_hour,
    )
    what = f"{_in_words(used, days_of_elastic_nodes(basis.plan))}, {offers[0].capacity}; {limit}"
    hours = Range(always_hours, used_hours, None if count is None else count * hours_of_elastic_nodes(basis.plan))
    return _Use(
        used[0].offer if used else offers[0],
        what,
        hours * (1 / HOURS_PER_MONTH),
        usd,
        _shares(used, lambda each: each.purposes) or {_purpose(offers, basis): 1.0},
        _shares(used, lambda each: each.teams) or quota_shares(offers, basis),
    )


def _fullest(offers: Sequence[Offer]) -> dict[Offer, int] | None:
    """What fills a pool: the type with which it costs most, and of the others what the limits leave. None: no limit."""
    # Where one type has no limit, such as one without GPUs in a pool with a limit of GPUs, the pool has none.
    if any(offer.most is None for offer in offers):
        return None
    found: dict[Offer, int] = {}
    for offer in sorted(offers, key=lambda each: (each.most or 0) * (each.usd.most or 0), reverse=True):
        left = (
            limit - sum(other.node.capacity[key] * count for other, count in found.items())
            for key, limit in offer.limits.items()
        )
        count = min(room // offer.node.capacity[key] for key, room in zip(offer.limits, left, strict=True))
        if count > 0 or not found:
            found[offer] = count
    return found


def _full_of_jobs(offers: Sequence[Offer], used: Sequence[UsedNode], basis: Basis) -> Iterator[UsedNode]:
    """A pool that no server needs all day is full of jobs for some hours of it, on the cheapest GPUs or CPUs.

    The jobs of the Plan are some of them. Of CPUs, it is so where a team has a quota; others are for whatever comes.
    """
    resource = main_resource(offers)
    able = [offer for offer in offers if offer.node.capacity[resource] and offer.most]
    if not able or not (resource == names.GPU_RESOURCE or promised_to_teams(offers, basis)):
        return
    cheapest = min(able, key=lambda each: (each.usd.expected / each.node.capacity[resource], each.node.instance_type))
    size = cheapest.node.capacity[resource]
    room = (cheapest.most or 0) * size - sum(each.offer.node.capacity[resource] for each in used)
    hours, shares = hours_of_use(basis.assumptions.job_hours_per_day, basis.plan), quota_shares(offers, basis)
    for _ in range(room // size if hours else 0):
        yield UsedNode(cheapest, {}, hours, teams=dict(shares), purposes={"training": 1.0})


def _nodes(use: _Use) -> Item:
    pool = use.usual.node.pool
    return Item(
        pool.urn,
        pool.name,
        use.what,
        use.nodes * HOURS_PER_MONTH,
        "hour",
        use.usd,
        use.usual.source,
        use.usual.confidence,
        use.purposes,
        _name(use.usual),
        use.shares,
        use.usual.price_date,
    )


def _disks(use: _Use, basis: Basis) -> Line:
    """The EBS volumes of nodes; those of all types of a pool are alike."""
    node = use.usual.node
    gib = node.ebs_gib
    if not gib:
        return basis.not_priced(node.pool, "disks of its nodes", "nothing in the Plan says how large they are")
    line = basis.line(node.pool, "gp3Gb", use.nodes * gib, "cluster", f"disks of its nodes, {gib:g} GiB each")
    if isinstance(line, NotPriced):
        return line
    return replace(line, purposes=use.purposes, pool=_name(use.usual), shares=use.shares)


def _name(offer: Offer) -> str:
    """The name of a pool as the stack file has it, or as the program calls it."""
    return offer.node.labels.get(names.POOL_LABEL, offer.node.pool.name)


def _purpose(offers: Sequence[Offer], basis: Basis) -> str:
    """What a pool without pods is for: GPUs for notebooks if those may have them; for jobs, if a team has a quota."""
    if any(offer.node.gpus for offer in offers):
        return "notebooks" if _name(offers[0]) in notebook_pools(basis.plan) else "training"
    is_for_jobs = offers[0].is_elastic and promised_to_teams(offers, basis)
    return "training" if is_for_jobs else "cluster"


def _shares(used: Sequence[UsedNode], parts_of: Callable[[UsedNode], Mapping[str, float]]) -> dict[str, float]:
    """Whose, or what for, the used nodes are, by how long each has how much of them."""
    hours: dict[str, float] = {}
    for each in used:
        parts = parts_of(each)
        for name, part in parts.items():
            hours[name] = hours.get(name, 0) + each.hours * part / sum(parts.values())
    whole = sum(hours.values())
    return {name: part / whole for name, part in sorted(hours.items()) if part} if whole else {}


def _in_words(used: Sequence[UsedNode], days: float) -> str:
    counts = Counter((each.offer.node.instance_type, each.hours) for each in used)
    words = (f"{count} × {name}{_a_day(hours, days)}" for (name, hours), count in counts.items())
    return " and ".join(words) or "no node"


def _a_day(hours: float, days: float) -> str:
    """How many hours of each of some days of a month that is, where it is not all the time."""
    which = "a day" if days == _ALL_DAYS else f"on each of {days:.3g} days a month"
    return "" if hours == HOURS_PER_MONTH else f" for {hours / days:.3g} h {which}"
