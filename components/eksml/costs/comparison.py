"""What one Plan costs more than another one, by what it is for. A difference is what is, less what was."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape

from eksml.costs.amounts import Range
from eksml.costs.bill import PURPOSES, Bill, NotPriced, grouped
from eksml.costs.bill_json import bill_json, not_priced_json, range_json
from eksml.costs.estimation import estimate
from eksml.errors import InputError
from eksml.plan import Plan

_AMOUNT = 23
_NOTHING = Range.exactly(0)


def show_comparison(before: Bill, after: Bill, console: Console) -> None:
    """Prints the expected costs of two Bills beside each other, and how much more the one after is."""
    headings = [bill.stack[1 - _AMOUNT :] for bill in (before, after)]
    console.print(f"[bold]{escape(_cells('US dollars a month', *headings, 'difference'))}[/]", soft_wrap=True)
    console.print(f"[dim]{_cells('', before.region, after.region, '')}[/]", soft_wrap=True)
    for purpose, (one, other) in _by_purpose(before, after).items():
        _print(purpose, one.expected, other.expected, console)
    _print("all of it", before.monthly.expected, after.monthly.expected, console)
    for bill in (before, after):
        if bill.not_priced:
            console.print(f"\n[yellow]{escape(bill.stack + bill.without)}[/]:", soft_wrap=True)
            for line in grouped(bill.not_priced):
                console.print(f"  {escape(line)}", soft_wrap=True, highlight=False)


def comparison_json(before: Bill, after: Bill) -> dict[str, Any]:
    """Two Bills and their difference as plain data."""
    difference = {
        purpose: other.expected - one.expected for purpose, (one, other) in _by_purpose(before, after).items()
    }
    return {
        "before": bill_json(before),
        "after": bill_json(after),
        "difference": {"monthly": after.monthly.expected - before.monthly.expected, "byPurpose": difference},
    }


def cost_change(before: Plan, after: Plan) -> str:
    """What a change does to the bill, in one line."""
    try:
        old, new = estimate(before), estimate(after)
    except InputError as error:
        return f"not known: {error}"
    unknown = [f"{line.resource}: {line.what}" for line in _newly_unpriced(old, new)]
    more = f"; without a price comes {', '.join(unknown)}" if unknown else ""
    if old.monthly == new.monthly:
        return f"the same, about ${new.monthly.expected:,.0f} a month{new.without}{more}"
    one, other = old.monthly.expected, new.monthly.expected
    sign = "-" if other < one else "+"
    lacks = f"{new.without}," if new.without else ""
    lacked = f"{old.without}," if old.without and old.without != new.without else ""
    words = f"about ${other:,.0f} a month{lacks} instead of ${one:,.0f}{lacked} ({sign}${abs(other - one):,.0f})"
    return f"{words}, at most {_limit(new.monthly)} instead of {_limit(old.monthly)}{more}"


def cost_change_json(before: Plan, after: Plan) -> dict[str, Any] | None:
    """What a change does to the bill, as plain data; None where one of the two has no prices."""
    try:
        old, new = estimate(before), estimate(after)
    except InputError:
        return None
    unknown = [not_priced_json(line) for line in _newly_unpriced(old, new)]
    return {
        "before": range_json(old.monthly),
        "after": range_json(new.monthly),
        "notPriced": [not_priced_json(line) for line in new.not_priced],
        "newlyNotPriced": unknown,
    }


def _newly_unpriced(old: Bill, new: Bill) -> list[NotPriced]:
    there = {(line.urn, line.what) for line in old.not_priced}
    return [line for line in new.not_priced if (line.urn, line.what) not in there]


def _by_purpose(before: Bill, after: Bill) -> dict[str, tuple[Range, Range]]:
    one, other = before.by_purpose(), after.by_purpose()
    return {
        purpose: (one.get(purpose, _NOTHING), other.get(purpose, _NOTHING))
        for purpose in PURPOSES
        if purpose in one or purpose in other
    }


def _limit(amount: Range) -> str:
    return "no limit" if amount.most is None else f"${amount.most:,.0f}"


def _print(label: str, one: float, other: float, console: Console) -> None:
    text = _cells(label, f"{one:,.2f}", f"{other:,.2f}", f"{round(other - one, 2) or 0:+,.2f}")
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _cells(label: str, *cells: str) -> str:
    return label.ljust(20) + "".join(
        cell.rjust(width) for cell, width in zip(cells, (_AMOUNT, _AMOUNT, 14), strict=True)
    )
