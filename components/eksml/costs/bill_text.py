"""A Bill for people: tables of at most 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from textwrap import wrap

from rich.console import Console
from rich.markup import escape

from eksml.costs.amounts import Range
from eksml.costs.bill import Bill, Item

_AMOUNT = 11
_LABEL = 80 - 3 * _AMOUNT
_UNSURE = ("estimate", "low")


def show_bill(bill: Bill, console: Console) -> None:
    """Prints a Bill."""
    total = bill.monthly
    console.print(f"[bold]Stack {escape(bill.stack)} in {bill.region}, US dollars[/]")
    _print(f"{about(total)}; ${bill.hourly.expected:,.2f} an hour\n", console)
    _print(_row("a month", "at least", "expected", "at most"), console, style="dim")
    for purpose, amount in bill.by_purpose().items():
        _print(_amounts(purpose, amount), console, style="bold")
        for label, part, is_estimate in _lines(item for item in bill.items if item.purpose == purpose):
            _print(_amounts(f"  {label}", part, "~" if is_estimate else ""), console)
    _print(_amounts("all of it", total), console, style="bold")
    _show_group("By team", bill.by_team(), console)
    _show_group("By pool", bill.by_pool(), console)
    _show_not_priced(bill, console)
    _show_assumptions(bill, console)


def about(amount: Range) -> str:
    """An amount per month in words."""
    most = "there is no limit" if amount.most is None else f"at most ${amount.most:,.0f}"
    return f"about ${amount.expected:,.0f} a month, at least ${amount.at_least:,.0f}, {most}"


def _lines(items: Iterable[Item]) -> list[tuple[str, Range, bool]]:
    """The items of one purpose, dearest first; what is alike is one line. With each goes whether it is an estimate."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(f"{item.pool}: {item.what}" if item.pool else item.what, []).append(item)
    lines = [
        (
            f"{len(group)} × {label}" if len(group) > 1 else label,
            Range.sum_of(item.monthly for item in group),
            any(item.confidence in _UNSURE for item in group),
        )
        for label, group in groups.items()
    ]
    return sorted(lines, key=lambda line: (-line[1].expected, line[0]))


def _show_group(title: str, amounts: Mapping[str, Range], console: Console) -> None:
    if len(amounts) > 1:
        console.print(f"\n[bold]{title}[/]")
        for name, amount in amounts.items():
            _print(_amounts(f"  {name}", amount), console)


def _show_not_priced(bill: Bill, console: Console) -> None:
    console.print("\n[bold]Not priced[/]")
    for line in bill.not_priced:
        _print(_wrapped(f"{line.resource}: {line.what}: {line.reason}", "  "), console)
    _print(_wrapped("taxes, support plans, Savings Plans and private agreements", "  "), console)


def _show_assumptions(bill: Bill, console: Console) -> None:
    console.print("\n[bold]Assumptions[/]  (change one with --assume NAME=VALUE)")
    for each in bill.assumptions.listed():
        changed = "" if each.is_default else " (changed)"
        _print(_wrapped(f"{each.name} = {each.value:g} {each.unit}{changed}: {each.what}", "  "), console)
    _print(_wrapped("~ is an estimate: of spot prices, or by a region that stands in for this one.", ""), console)


def _amounts(label: str, amount: Range, mark: str = "") -> str:
    most = "no limit" if amount.most is None else f"{amount.most:,.2f}"
    return _row(label, f"{amount.at_least:,.2f}", f"{mark}{amount.expected:,.2f}", most)


def _row(label: str, *cells: str) -> str:
    """A label, on as many lines as it needs, with the cells beside the last."""
    text = label.lstrip()
    indent = " " * (len(label) - len(text))
    *first, last = wrap(text, _LABEL - 1, initial_indent=indent, subsequent_indent=f"{indent}  ")
    return "\n".join([*first, last.ljust(_LABEL) + "".join(cell.rjust(_AMOUNT) for cell in cells)])


def _wrapped(text: str, indent: str) -> str:
    lines = wrap(text, 80, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False)
    return "\n".join(lines)


def _print(text: str, console: Console, style: str | None = None) -> None:
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
