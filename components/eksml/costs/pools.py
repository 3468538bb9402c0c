"""The nodes of pools: those of a managed group, of which there is a fixed number, and those that Karpenter brings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
from eksml.costs.shares import quota_shares
from eksml.costs.working_hours import hours_of_elastic_nodes, hours_of_group

_HOURS_OF_ALL_DAYS = HOURS_PER_MONTH / 24


class _Use(NamedTuple):
    """What becomes of a pool: how many nodes, what for, and whose."""

    usual: Offer
    """What most of them are."""
    what: str
    nodes: Range
    """In a month, on average."""
    usd: Range
    """For an hour of a node."""
    purpose: str
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
    what = f"{count} × {types}{_a_day(hours)}, {first.capacity}"
    nodes = Range.exactly(count * hours / HOURS_PER_MONTH)
    return _Use(first, what, nodes, usd, _purpose(offers, [], basis), quota_shares(offers, basis))


def _elastic(offers: Sequence[Offer], used: list[UsedNode], basis: Basis) -> _Use:
    """None at least; expected are those that the Plan's pods ask for, or jobs; at most what the limits allow."""
    if not any(each.is_always_needed for each in used):
        used = [*used, *_full_of_jobs(offers, used, basis)]
    used_hours = sum(each.hours for each in used)
    dearest = max(offers, key=lambda offer: (offer.most or 0) * (offer.usd.most or 0))
    spent = sum(each.hours * each.offer.usd.expected for each in used)
    usual = spent / used_hours if used_hours else dearest.usd.expected
    usd = Range(min(each.usd.at_least for each in offers), usual, dearest.usd.most)
    # Where one type has no limit, such as one without GPUs in a pool with a limit of GPUs, the pool has none.
    most = None if any(offer.most is None for offer in offers) else dearest.most
    limit = "without a limit" if most is None else f"at most {most} × {dearest.node.instance_type}"
    what = f"{_in_words(used)}, {offers[0].capacity}; {limit}"
    hours = Range(0, used_hours, None if most is None else most * hours_of_elastic_nodes(basis.plan))
    return _Use(
        used[0].offer if used else dearest,
        what,
        hours * (1 / HOURS_PER_MONTH),
        usd,
        _purpose(offers, used, basis),
        _shares(used) or quota_shares(offers, basis),
    )


def _full_of_jobs(offers: Sequence[Offer], used: Sequence[UsedNode], basis: Basis) -> Iterator[UsedNode]:
    """A pool of GPUs that no server needs all day is full of jobs for some hours of it, on the cheapest GPUs.

    The jobs of the Plan are some of them.
    """
    with_gpus = [offer for offer in offers if offer.node.gpus and offer.most]
    hours = min(basis.assumptions.job_hours_per_day * _HOURS_OF_ALL_DAYS, hours_of_elastic_nodes(basis.plan))
    if not with_gpus or not hours:
        return
    cheapest = min(with_gpus, key=lambda each: (each.usd.expected / each.node.gpus, each.node.instance_type))
    room = (cheapest.most or 0) * cheapest.node.gpus - sum(each.offer.node.gpus for each in used)
    for _ in range(room // cheapest.node.gpus):
        yield UsedNode(cheapest, {}, hours, teams=dict(quota_shares(offers, basis)), purposes={"training"})


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
        use.purpose,
        _name(use.usual),
        use.shares,
    )


def _disks(use: _Use, basis: Basis) -> Line:
    """The EBS volumes of nodes; those of all types of a pool are alike."""
    node = use.usual.node
    gib = node.ebs_gib
    line = basis.line(node.pool, "gp3Gb", use.nodes * gib, use.purpose, f"disks of its nodes, {gib:g} GiB each")
    if isinstance(line, NotPriced):
        return line
    return replace(line, purpose=use.purpose, pool=_name(use.usual), shares=use.shares)


def _name(offer: Offer) -> str:
    """The name of a pool as the stack file has it, or as the program calls it."""
    return offer.node.labels.get(names.POOL_LABEL, offer.node.pool.name)


def _purpose(offers: Sequence[Offer], used: Sequence[UsedNode], basis: Basis) -> str:
    """What a pool is for: what most of its pods are for; without any, GPUs are for notebooks if those may have them."""
    hours = Counter[str]()
    for each in used:
        for purpose in sorted(each.purposes):
            hours[purpose] += round(each.hours)
    if hours:
        return hours.most_common(1)[0][0]
    if not any(offer.node.gpus for offer in offers):
        return "cluster"
    return "notebooks" if _name(offers[0]) in notebook_pools(basis.plan) else "training"


def _shares(used: Sequence[UsedNode]) -> dict[str, float]:
    """Whose the used nodes are, by how long each team has how much of them."""
    teams: dict[str, float] = {}
    for each in used:
        for team, part in each.teams.items():
            teams[team] = teams.get(team, 0) + each.hours * part / sum(each.teams.values())
    return {team: hours / sum(teams.values()) for team, hours in sorted(teams.items())} if any(teams.values()) else {}


def _in_words(used: Sequence[UsedNode]) -> str:
    counts = Counter((each.offer.node.instance_type, each.hours) for each in used)
    return " and ".join(f"{count} × {name}{_a_day(hours)}" for (name, hours), count in counts.items()) or "no node"


def _a_day(hours: float) -> str:
    """How many hours of a month that is a day, where it is not all of them."""
    return "" if hours == HOURS_PER_MONTH else f" for {hours / _HOURS_OF_ALL_DAYS:.3g} h a day"
