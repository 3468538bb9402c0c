"""What one Plan costs more than another one, by what it is for."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape

from eksml.costs.amounts import Range
from eksml.costs.bill import Bill
from eksml.costs.bill_json import bill_json, range_json
from eksml.costs.estimation import estimate
from eksml.errors import InputError
from eksml.plan import Plan

_NOTHING = Range.exactly(0)


def show_comparison(first: Bill, second: Bill, console: Console) -> None:
    """Prints the expected costs of two Bills beside each other."""
    headings = [f"{bill.stack[:16]} {bill.region}"[:24] for bill in (first, second)]
    console.print(f"[bold]{_cells('US dollars a month, expected', headings[0], headings[1], 'difference')}[/]")
    for purpose, (one, other) in _by_purpose(first, second).items():
        _print(purpose, one.expected, other.expected, console)
    _print("all of it", first.monthly.expected, second.monthly.expected, console)
    for bill in (first, second):
        for line in bill.not_priced:
            console.print(f"[yellow]Not priced[/] in {escape(bill.stack)}: {escape(f'{line.resource}: {line.what}')}")


def comparison_json(first: Bill, second: Bill) -> dict[str, Any]:
    """Two Bills and their difference as plain data."""
    difference = {
        purpose: other.expected - one.expected for purpose, (one, other) in _by_purpose(first, second).items()
    }
    return {
        "first": bill_json(first),
        "second": bill_json(second),
        "difference": {"monthly": second.monthly.expected - first.monthly.expected, "byPurpose": difference},
    }


def cost_change(before: Plan, after: Plan) -> str | None:
    """What a change does to the bill, in one line; None where it does nothing, or one of the two has no prices."""
    bills = _bills(before, after)
    if bills is None or bills[0].monthly == bills[1].monthly:
        return None
    old, new = (bill.monthly for bill in bills)
    change = new.expected - old.expected
    sign = "-" if change < 0 else "+"
    words = f"about ${new.expected:,.0f} a month instead of ${old.expected:,.0f} ({sign}${abs(change):,.0f})"
    return f"{words}, at most {_limit(new)} instead of {_limit(old)}"


def cost_change_json(before: Plan, after: Plan) -> dict[str, Any] | None:
    """What a change does to the bill, as plain data; None where one of the two has no prices."""
    bills = _bills(before, after)
    return bills and {key: range_json(bill.monthly) for key, bill in zip(("before", "after"), bills, strict=True)}


def _bills(before: Plan, after: Plan) -> tuple[Bill, Bill] | None:
    try:
        return estimate(before), estimate(after)
    except InputError:
        return None


def _by_purpose(first: Bill, second: Bill) -> dict[str, tuple[Range, Range]]:
    one, other = first.by_purpose(), second.by_purpose()
    return {purpose: (one.get(purpose, _NOTHING), other.get(purpose, _NOTHING)) for purpose in {**one, **other}}


def _limit(amount: Range) -> str:
    return "no limit" if amount.most is None else f"${amount.most:,.0f}"


def _print(label: str, one: float, other: float, console: Console) -> None:
    text = _cells(label, f"{one:,.2f}", f"{other:,.2f}", f"{other - one:+,.2f}")
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _cells(label: str, *cells: str) -> str:
    return label.ljust(29) + "".join(cell.rjust(width) for cell, width in zip(cells, (19, 19, 13), strict=True))
