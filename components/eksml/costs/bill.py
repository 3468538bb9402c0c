"""What a Plan costs, item by item, and what of it has no price."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from eksml.costs.amounts import HOURS_PER_MONTH, Range
from eksml.costs.assumptions import Assumptions

PLATFORM = "platform"
"""Whose share it is that no team has."""


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
    purpose: str
    pool: str | None = None
    shares: Mapping[str, float] = field(default_factory=lambda: {PLATFORM: 1.0})
    """Whose it is: the share of each team, and of the platform."""

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


@dataclass(frozen=True)
class Bill:
    """What a Plan costs."""

    stack: str
    region: str
    items: tuple[Item, ...]
    not_priced: tuple[NotPriced, ...]
    assumptions: Assumptions

    @cached_property
    def monthly(self) -> Range:
        """US dollars a month of 730 hours, without what is not priced."""
        return Range.sum_of(item.monthly for item in self.items)

    @property
    def hourly(self) -> Range:
        """US dollars an hour."""
        return self.monthly * (1 / HOURS_PER_MONTH)

    def by_resource(self) -> dict[str, Range]:
        """By URN, dearest first."""
        return self._by(lambda item: {item.urn: 1.0})

    def by_purpose(self) -> dict[str, Range]:
        """By what it is for, dearest first."""
        return self._by(lambda item: {item.purpose: 1.0})

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
