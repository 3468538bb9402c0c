"""What the two sizing commands print: a table of instances, and what the first of them rests on."""

from collections.abc import Iterable, Sequence

from eksml.errors import CheckFailed

_WIDTH = 80


def show_instances(
    model: str, what: str, columns: Sequence[str], rows: Iterable[Sequence[str]], notes: Sequence[str]
) -> None:
    """Prints a table of at most 80 columns: the instances and their GPUs, then figures; below it notes, as wide.

    Arguments:
        model: the model, as it was given.
        what: what it can be on these instances, such as served.
        columns: their headings; the first two are of text.
        rows: the cells of each instance.
        notes: what is to be said below the table; what begins with spaces goes on behind as many and two more.
    """
    from rich.markup import escape
    from rich.table import Table

    from eksml.cli.output import answer

    console = answer()
    console.print(f"[bold]{escape(model)}[/] can be {what} on, cheapest first:\n")
    table = Table(box=None, pad_edge=False)
    for index, heading in enumerate(columns):
        table.add_column(heading, justify="left" if index < 2 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print()
    for note in notes:
        console.print(escape(wrapped(note)))


def barely(*, is_certain: Iterable[bool]) -> list[str]:
    """The note on the mark of what fits barely, where something does."""
    text = "? It fits barely: with the overhead at the upper end of its range it does not."
    return [] if all(is_certain) else [text]


def unknown_prices(prices: Iterable[float | None]) -> list[str]:
    """The note on types without a price, where there are some."""
    return ["unknown: the catalog has no price of it there; the fewest GPUs come first."] if None in prices else []


def wrapped(text: str, width: int = _WIDTH) -> str:
    """Text on lines of no more than a width, the others further in than the first."""
    import textwrap

    indent = text[: len(text) - len(text.lstrip())] + "  "
    return textwrap.fill(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def no_answer(text: str) -> CheckFailed:
    """What ends a command that found no instance, as wide as its table would be."""
    return CheckFailed(wrapped(text, _WIDTH - len("eksml: ")))


def indented(lines: Iterable[str]) -> list[str]:
    """Lines of an explanation, below an empty one."""
    return ["", *(f"  {line}" for line in lines)]
