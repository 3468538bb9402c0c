"""What a Plan costs, item by item, and what of it has no price."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from eksml.costs.amounts import HOURS_PER_MONTH, Range
from eksml.costs.assumptions import Assumptions

PLATFORM = "platform"
"""Whose share it is that no team has."""
PURPOSES = ("cluster", "network", "storage", "observability", "tracking", "notebooks", "training", "serving")
"""What things are for, in the order in which every bill has them."""


@dataclass(frozen=True)
class Item:
    """One line of a bill: how much of what, at which price."""

    urn: str
    resource: str
    """The name of the resource that it is charged for."""
    what: str
    quantity: Range
    """In a month."""
    unit: str
    unit_price: Range
    """US dollars for one unit; a range where it depends on the day, or on what is chosen."""
    source: str
    confidence: str
    purposes: Mapping[str, float]
    """What it is for: the share of each purpose, all of them together 1."""
    pool: str | None = None
    shares: Mapping[str, float] = field(default_factory=lambda: {PLATFORM: 1.0})
    """Whose it is: the share of each team, and of the platform."""
    price_date: str = ""
    """When the price was read: a day or a month; empty where nobody knows."""

    @property
    def monthly(self) -> Range:
        """US dollars a month."""
        return self.quantity * self.unit_price


@dataclass(frozen=True)
class NotPriced:
    """Something that may cost money, of which the catalog does not know how much."""

    urn: str
    resource: str
    what: str
    reason: str


def grouped(lines: Iterable[NotPriced]) -> list[str]:
    """What has no price in words: of one resource with its name, of several how often."""
    found: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        found.setdefault((line.what, line.reason), []).append(line.resource)
    return [
        f"{what}: {len(of)} times: {reason}" if len(of) > 1 else f"{of[0]}: {what}: {reason}"
        for (what, reason), of in found.items()
    ]


@dataclass(frozen=True)
class Bill:
    """What a Plan costs."""

    stack: str
    region: str
    items: tuple[Item, ...]
    not_priced: tuple[NotPriced, ...]
    assumptions: Assumptions
    assumed: frozenset[str]
    """The names of the assumptions that it rests on, of all that there are."""
    notes: tuple[str, ...] = ()
    """What will change it."""

    @cached_property
    def monthly(self) -> Range:
        """US dollars a month of 730 hours, without what is not priced."""
        return Range.sum_of(item.monthly for item in self.items)

    @property
    def without(self) -> str:
        """What its sum lacks, as the end of a sentence; empty where everything has a price."""
        count = len(grouped(self.not_priced))
        words = "1 item that has no price" if count == 1 else f"{count} items that have no price"
        return f", without {words} here" if count else ""

    @property
    def price_dates(self) -> list[str]:
        """When its prices were read, oldest first."""
        return sorted({item.price_date for item in self.items} - {""})

    @property
    def hourly(self) -> Range:
        """US dollars an hour."""
        return self.monthly * (1 / HOURS_PER_MONTH)

    def by_resource(self) -> dict[str, Range]:
        """By URN, dearest first."""
        return self._by(lambda item: {item.urn: 1.0})

    def by_purpose(self) -> dict[str, Range]:
        """By what it is for, in the order of PURPOSES, so that two bills can be laid beside each other."""
        found = self._by(lambda item: item.purposes)
        return {purpose: found[purpose] for purpose in PURPOSES if purpose in found}

    def by_pool(self) -> dict[str, Range]:
        """By pool of nodes, dearest first."""
        return self._by(lambda item: {item.pool: 1.0} if item.pool else {})

    def by_team(self) -> dict[str, Range]:
        """By team, dearest first; what no team has a share of is the platform's."""
        return self._by(lambda item: item.shares)

    def _by(self, shares_of: Callable[[Item], Mapping[str, float]]) -> dict[str, Range]:
        found: dict[str, list[Range]] = {}
        for item in self.items:
            for name, share in shares_of(item).items():
                found.setdefault(name, []).append(item.monthly * share)
        return _dearest_first({name: Range.sum_of(ranges) for name, ranges in found.items()}.items())


def _dearest_first(amounts: Iterable[tuple[str, Range]]) -> dict[str, Range]:
    return dict(sorted(amounts, key=lambda entry: (-entry[1].expected, entry[0])))
