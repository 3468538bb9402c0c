"""What asking for prices came to, for people and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from rich.console import Console

from eksml.catalog import PriceList
from eksml.prices.refresh import Answer

_NAME, _REGION, _USD, _PERCENT = 39, 14, 10, 7


@dataclass(frozen=True)
class Change:
    """A price that is another one than before."""

    answer: Answer
    old: float | None
    new: float

    @property
    def percent(self) -> float | None:
        """By how much it is more; None where there was none."""
        return None if self.old is None else (self.new / self.old - 1) * 100


def changes(answers: Sequence[Answer], before: PriceList) -> list[Change]:
    """The prices that are other ones than bills counted with so far."""
    found = (Change(answer, answer.wanted.old_usd(before), answer.price.usd) for answer in answers if answer.price)
    return [change for change in found if change.old != change.new]


def show_answers(answers: Sequence[Answer], before: PriceList, console: Console) -> None:
    """Prints what changed and what was not found, in at most 80 columns."""
    changed = changes(answers, before)
    missing = [answer for answer in answers if answer.problem]
    if changed:
        _print(_row("US dollars", "", "old", "new", "%"), console, "bold")
    for change in changed:
        _print(_change(change), console)
    for answer in missing:
        text = f"{answer.wanted.name} in {answer.wanted.region}: {answer.problem}"
        _print("\n".join(wrap(text, 80, initial_indent="no price  ", subsequent_indent=" " * 10)), console, "yellow")
    same = len(answers) - len(changed) - len(missing)
    _print(f"\n{same} as before, {len(changed)} changed or new, {len(missing)} not found", console)


def answers_json(answers: Sequence[Answer], before: PriceList) -> dict[str, Any]:
    """The same as plain data."""
    changed = changes(answers, before)
    missing = [answer for answer in answers if answer.problem]
    return {
        "same": len(answers) - len(changed) - len(missing),
        "changed": [
            {**_name(change.answer), "old": change.old, "new": change.new, "percent": change.percent}
            for change in changed
        ],
        "notFound": [{**_name(answer), "reason": answer.problem} for answer in missing],
    }


def _name(answer: Answer) -> dict[str, Any]:
    wanted = answer.wanted
    return {"name": wanted.name, "what": wanted.what, "region": wanted.region, "unit": wanted.unit}


def _change(change: Change) -> str:
    wanted = change.answer.wanted
    old = "" if change.old is None else f"{change.old:.7g}"
    percent = "new" if change.percent is None else f"{change.percent:+.1f}"
    return _row(wanted.name, wanted.region, old, f"{change.new:.7g}", percent)


def _row(name: str, region: str, *cells: str) -> str:
    widths = (_USD, _USD, _PERCENT)
    return name.ljust(_NAME) + region.ljust(_REGION) + "".join(map(str.rjust, cells, widths))


def _print(text: str, console: Console, style: str | None = None) -> None:
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
