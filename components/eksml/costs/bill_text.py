"""A Bill for people: tables of at most 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.markup import escape

from eksml.costs.amounts import Range
from eksml.costs.bill import Bill, Item, grouped
from eksml.costs.table import amounts_row, print_plain, table_row, wrapped

_UNSURE = ("estimate", "low")


def show_bill(bill: Bill, console: Console) -> None:
    """Prints a Bill."""
    total = bill.monthly
    console.print(f"[bold]Stack {escape(bill.stack)} in {bill.region}, US dollars[/]")
    print_plain(wrapped(f"{about(bill)}; ${bill.hourly.expected:,.2f} an hour", "") + "\n", console)
    print_plain(table_row("a month", "at least", "expected", "at most"), console, style="dim")
    for purpose, amount in bill.by_purpose().items():
        if _is_nothing(amount):
            continue
        print_plain(amounts_row(purpose, amount), console, style="bold")
        for label, part, is_estimate in _lines(bill.items, purpose):
            if not _is_nothing(part):
                print_plain(amounts_row(f"  {label}", part, "~" if is_estimate else ""), console)
    print_plain(amounts_row("all of it", total), console, style="bold")
    _show_group("By team", bill.by_team(), console)
    _show_group("By pool", bill.by_pool(), console)
    _show_not_priced(bill, console)
    _show_notes(bill, console)
    _show_assumptions(bill, console)
    _show_price_dates(bill, console)


def about(bill: Bill) -> str:
    """What a bill comes to in words."""
    amount = bill.monthly
    most = "there is no limit" if amount.most is None else f"at most ${amount.most:,.0f}"
    return f"about ${amount.expected:,.0f} a month{bill.without}, at least ${amount.at_least:,.0f}, {most}"


def _lines(items: Iterable[Item], purpose: str) -> list[tuple[str, Range, bool]]:
    """The items of one purpose, dearest first; what is alike is one line. With each goes whether it is an estimate."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        if share := item.purposes.get(purpose):
            part = "" if share == 1 else f", {share:.0%} of it"
            groups.setdefault((f"{item.pool}: " if item.pool else "") + item.what + part, []).append(item)
    lines = [
        (
            f"{len(group)} × {label}" if len(group) > 1 else label,
            Range.sum_of(item.monthly * item.purposes[purpose] for item in group),
            any(item.confidence in _UNSURE for item in group),
        )
        for label, group in groups.items()
    ]
    return sorted(lines, key=lambda line: (-line[1].expected, line[0]))


def _show_group(title: str, amounts: Mapping[str, Range], console: Console) -> None:
    if len(amounts) > 1:
        console.print(f"\n[bold]{title}[/]")
        for name, amount in amounts.items():
            print_plain(amounts_row(f"  {name}", amount), console)


def _show_not_priced(bill: Bill, console: Console) -> None:
    console.print("\n[bold]Not priced[/]")
    for line in grouped(bill.not_priced):
        print_plain(wrapped(line, "  "), console)
    print_plain(wrapped("taxes, support plans, Savings Plans and private agreements", "  "), console)


def _show_notes(bill: Bill, console: Console) -> None:
    if bill.notes:
        console.print("\n[bold]Later[/]")
    for note in bill.notes:
        print_plain(wrapped(note, "  "), console)


def _show_assumptions(bill: Bill, console: Console) -> None:
    console.print("\n[bold]Assumptions[/]  (change one with --assume NAME=VALUE)")
    used = [each for each in bill.assumptions.listed() if each.name in bill.assumed]
    for each in (each for each in used if each.value is not None):
        print_plain(wrapped(each.in_words, "  "), console)
    print_plain(
        wrapped("~ is an estimate: of spot prices, or the price of a region that stands in for this one.", ""), console
    )


def _show_price_dates(bill: Bill, console: Console) -> None:
    if bill.price_dates:
        oldest, newest = bill.price_dates[0], bill.price_dates[-1]
        when = f"of {newest}" if oldest == newest else f"of {newest}, the oldest of {oldest}"
        print_plain(wrapped(f"Prices are {when}; `eksml prices refresh` asks AWS for those of today.", ""), console)


def _is_nothing(amount: Range) -> bool:
    """Whether all that is printed of it are zeros."""
    return amount.most is not None and not any(round(usd, 2) for usd in (amount.at_least, amount.expected, amount.most))
