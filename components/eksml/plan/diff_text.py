"""A Diff for people: worst first, each changed input with what it was and what it becomes."""

import json
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.markup import escape

from eksml.plan.diff import Diff, Effect, InputChange, Kind, ResourceChange
from eksml.plan.tree import short_type

# Longer values are shown around the first place where they differ; --json has them whole.
_LONGEST = 60
_BEFORE_DIFFERENCE = 15

# As many resources as this that change alike are told in one go.
_MANY = 4

_HEADS = {
    (Kind.REPLACED, True): "[bold red]Replaced, and what they hold is lost[/]",
    (Kind.REPLACED, False): "[bold red]Replaced[/]",
    (Kind.REMOVED, True): "[bold red]Removed, and what they hold is lost[/]",
    (Kind.REMOVED, False): "[bold]Removed[/]",
    **{(Kind.CHANGED, is_stateful): "[bold]Changed[/]" for is_stateful in (True, False)},
    **{(Kind.ADDED, is_stateful): "[bold]Added[/]" for is_stateful in (True, False)},
}
_SIGNS = {Kind.REPLACED: "±", Kind.REMOVED: "-", Kind.CHANGED: "~", Kind.ADDED: "+"}
_EFFECTS = {
    Effect.UPDATE: "",
    Effect.REPLACE: "  [red]forces replacement[/]",
    Effect.REFUSED: "  [red]refused: replace it by hand[/]",
    Effect.UNKNOWN: "  [yellow]replacement not known[/]",
}


def show_diff(diff: Diff, console: Console) -> None:
    """Prints a Diff."""
    for head, changes in groupby(diff.changes, lambda change: _HEADS[change.kind, bool(change.is_stateful)]):
        console.print(head)
        _show_changes(list(changes), console)
    console.print(_summary(diff))
    for note in diff.notes:
        console.print(f"[yellow]Note[/]: {escape(note)}")


def _show_changes(changes: list[ResourceChange], console: Console) -> None:
    """Prints changes; those that many resources share, such as of a tag, last and once."""
    alike: dict[str, list[ResourceChange]] = {}
    for change in changes:
        alike.setdefault("\n".join(_input_lines(change)), []).append(change)
    for change in changes:
        if not _is_shared(alike["\n".join(_input_lines(change))]):
            _show_resource(change, console)
    for lines, sharing in alike.items():
        if _is_shared(sharing):
            console.print(f"  {_SIGNS[sharing[0].kind]} [bold]{len(sharing)} resources alike[/]")
            console.print(lines)
            names = ", ".join(f"{change.name} ({short_type(change.type)})" for change in sharing)
            console.print(f"      [dim]{escape(names)}[/]", soft_wrap=True)


def _is_shared(sharing: list[ResourceChange]) -> bool:
    return len(sharing) >= _MANY and bool(sharing[0].inputs)


def _summary(diff: Diff) -> str:
    sides = f"{diff.before} and {diff.after}" if diff.before != diff.after else diff.before
    if not diff.changes:
        return f"No difference: {diff.same} resources of {escape(sides)} are the same"
    counts = ", ".join(f"{len(diff.of_kind(kind))} {kind.value}" for kind in Kind if diff.of_kind(kind))
    sides = f"From {diff.before} to {diff.after}: " if diff.before != diff.after else ""
    return f"[bold]{escape(sides)}{counts}[/], {diff.same} the same"


def _show_resource(change: ResourceChange, console: Console) -> None:
    console.print(f"  {_SIGNS[change.kind]} [bold]{escape(change.name)}[/]  [dim]{escape(short_type(change.type))}[/]")
    for line in _input_lines(change):
        console.print(line)


def _input_lines(change: ResourceChange) -> list[str]:
    return [
        f"      {escape(path)}: {_values(list(same))}{_EFFECTS[effect]}"
        for (path, effect), same in groupby(change.inputs, lambda each: (each.path, each.effect))
    ]


def _values(changes: list[InputChange]) -> str:
    """What becomes of one input: it has one value before and after, or is computed from one or more resources."""
    if sources := [each.computed_from.rpartition("::")[2] for each in changes if each.computed_from]:
        return f"computed anew, for replaced: {escape(', '.join(sorted(sources)))}"
    before, after = _text(changes[0].before), _text(changes[0].after)
    is_long = len(before) > _LONGEST or len(after) > _LONGEST
    start = max(_first_difference(before, after) - _BEFORE_DIFFERENCE, 0) if is_long else 0
    return f"{escape(_cut(before, start))} → {escape(_cut(after, start))}"


def _first_difference(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (left, right) in pairs if left != right), min(len(one), len(other)))


def _text(value: Any) -> str:
    if value is None:
        return "not set"
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _cut(text: str, start: int) -> str:
    shown = text[start : start + _LONGEST].replace("\n", "⏎")
    return ("…" if start else "") + shown + ("…" if start + _LONGEST < len(text) else "")
