"""Amounts of which only bounds and an expectation are known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

HOURS_PER_MONTH = 730
"""As AWS counts them: 365 days of 24 hours, by twelve."""


@dataclass(frozen=True)
class Range:
    """At least so much, so much expected, and at most so much; None: there is no limit."""

    at_least: float
    expected: float
    most: float | None

    @classmethod
    def exactly(cls, amount: float) -> Range:
        """An amount that is certain."""
        return cls(amount, amount, amount)

    @classmethod
    def up_to(cls, amount: float) -> Range:
        """An amount that is expected, and may be nothing."""
        return cls(0, amount, amount)

    @classmethod
    def sum_of(cls, ranges: Iterable[Range]) -> Range:
        """All of them together."""
        return sum(ranges, cls.exactly(0))

    def __add__(self, other: Range) -> Range:
        most = None if self.most is None or other.most is None else self.most + other.most
        return Range(self.at_least + other.at_least, self.expected + other.expected, most)

    def __mul__(self, other: Range | float) -> Range:
        factor = other if isinstance(other, Range) else Range.exactly(other)
        most = None if self.most is None or factor.most is None else self.most * factor.most
        return Range(self.at_least * factor.at_least, self.expected * factor.expected, most)
