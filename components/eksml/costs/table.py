"""What tables of costs are made of: three amounts beside a label, at most 80 columns."""

from __future__ import annotations

from textwrap import wrap

from rich.console import Console

from eksml.costs.amounts import Range

_AMOUNT = 11
_LABEL = 80 - 3 * _AMOUNT


def amounts_row(label: str, amount: Range, mark: str = "") -> str:
    """A label with what is at least, expected and at most; a mark stands before what is expected."""
    most = "no limit" if amount.most is None else f"{amount.most:,.2f}"
    return table_row(label, f"{amount.at_least:,.2f}", f"{mark}{amount.expected:,.2f}", most)


def table_row(label: str, *cells: str) -> str:
    """A label, on as many lines as it needs, with the cells beside the last."""
    text = label.lstrip()
    indent = " " * (len(label) - len(text))
    *first, last = wrap(text, _LABEL - 1, initial_indent=indent, subsequent_indent=f"{indent}  ") or [""]
    return "\n".join([*first, last.ljust(_LABEL) + "".join(cell.rjust(_AMOUNT) for cell in cells)])


def wrapped(text: str, indent: str) -> str:
    """Text on lines that are wide enough for no terminal to break them, all but the first further in."""
    lines = wrap(text, 80, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False)
    return "\n".join(lines)


def print_plain(text: str, console: Console, style: str | None = None) -> None:
    """Prints text as it is, whatever stands in it."""
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
