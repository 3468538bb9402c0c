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
from eksml.costs.offers import Offer, offers_of, why_no_price
from eksml.costs.shares import quota_shares
from eksml.costs.working_hours import share_of_week

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
    purpose = "training" if first.node.gpus else "cluster"
    share = share_of_week(first.node.pool, basis)
    when = "" if share == 1 else f" in {share:.0%} of the week"
    what = f"{count} × {types}{when}, {first.capacity}"
    return _Use(first, what, Range.exactly(count * share), usd, purpose, quota_shares(offers, basis))


def _elastic(offers: Sequence[Offer], used: list[UsedNode], basis: Basis) -> _Use:
    """None at least; expected are those that the Plan's pods ask for, or jobs; at most what the limits allow."""
    most_hours = HOURS_PER_MONTH * share_of_week(offers[0].node.pool, basis)
    for each in used:
        each.hours = min(each.hours, most_hours)
    if not any(each.hours == most_hours for each in used):
        used = [*used, *_full_of_jobs(offers, used, basis)]
    hours = sum(each.hours for each in used)
    dearest = max(offers, key=lambda offer: (offer.most or 0) * (offer.usd.most or 0))
    usual = sum(each.hours * each.offer.usd.expected for each in used) / hours if hours else dearest.usd.expected
    usd = Range(min(each.usd.at_least for each in offers), usual, dearest.usd.most)
    # Where one type has no limit, such as one without GPUs in a pool with a limit of GPUs, the pool has none.
    most = None if any(offer.most is None for offer in offers) else dearest.most
    limit = "without a limit" if most is None else f"at most {most} × {dearest.node.instance_type}"
    what = f"{_in_words(used)}, {offers[0].capacity}; {limit}"
    shares = _shares(used) or quota_shares(offers, basis)
    return _Use(
        used[0].offer if used else dearest,
        what,
        Range(0, hours / HOURS_PER_MONTH, most),
        usd,
        _purpose(offers, used),
        shares,
    )


def _full_of_jobs(offers: Sequence[Offer], used: Sequence[UsedNode], basis: Basis) -> Iterator[UsedNode]:
    """A pool of GPUs that no server needs all day is full of jobs for some hours of it, on the cheapest GPUs.

    The jobs of the Plan are some of them.
    """
    with_gpus = [offer for offer in offers if offer.node.gpus and offer.most]
    hours = basis.assumptions.job_hours_per_day * _HOURS_OF_ALL_DAYS
    if not with_gpus or not hours:
        return
    cheapest = min(with_gpus, key=lambda each: (each.usd.expected / each.node.gpus, each.node.instance_type))
    room = (cheapest.most or 0) * cheapest.node.gpus - sum(each.offer.node.gpus for each in used)
    for _ in range(room // cheapest.node.gpus):
        yield UsedNode(cheapest, {}, hours, dict(quota_shares(offers, basis)), {"training"})


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


def _purpose(offers: Sequence[Offer], used: Sequence[UsedNode]) -> str:
    """What a pool is for: what most of its pods are for; without any, GPUs are for training, the rest the cluster's."""
    hours = Counter[str]()
    for each in used:
        for purpose in sorted(each.purposes):
            hours[purpose] += round(each.hours)
    if hours:
        return hours.most_common(1)[0][0]
    return "training" if any(offer.node.gpus for offer in offers) else "cluster"


def _shares(used: Sequence[UsedNode]) -> dict[str, float]:
    """Whose the used nodes are, by how long each team has how much of them."""
    teams: dict[str, float] = {}
    for each in used:
        for team, part in each.teams.items():
            teams[team] = teams.get(team, 0) + each.hours * part / sum(each.teams.values())
    return {team: hours / sum(teams.values()) for team, hours in sorted(teams.items())} if any(teams.values()) else {}


def _in_words(used: Sequence[UsedNode]) -> str:
    counts = Counter((each.offer.node.instance_type, round(each.hours / _HOURS_OF_ALL_DAYS, 1)) for each in used)
    parts = [
        f"{count} × {name}" + ("" if hours == 24 else f" for {hours:g} h a day")
        for (name, hours), count in counts.items()
    ]
    return " and ".join(parts) or "no node"
