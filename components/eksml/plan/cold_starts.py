"""How long each model server of a Plan probably takes until it answers, by the annotation of its workload."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from rich.console import Console

from eksml import names
from eksml.clock import clock
from eksml.plan.manifests import objects
from eksml.plan.model import Plan

_PARTS = {"node": "node", "image": "image", "weights": "weights", "warmUp": "warm-up"}
_KEYS = ("low", "usual", "high", "estimate")


class ServerStart(NamedTuple):
    """The cold start of one server."""

    server: str
    namespace: str
    parts: dict[str, Any]
    """By name, in seconds: low, usual, high, and whether that is an estimate; None where it is not known."""
    wakes: str
    """How it wakes when it has no replicas; empty where it always has some."""


def cold_starts(plan: Plan) -> list[ServerStart]:
    """The cold starts of a Plan, by server and namespace."""
    found = filter(None, (server_start(item["metadata"]) for item in objects(plan)))
    return sorted(found, key=lambda each: (each.server, each.namespace))


def cold_starts_json(plan: Plan) -> list[dict[str, Any]]:
    """The cold starts as plain data; every time is in seconds."""
    return [
        {"server": each.server, "namespace": each.namespace, **each.parts, "wakes": each.wakes}
        for each in cold_starts(plan)
    ]


def show_cold_starts(plan: Plan, console: Console) -> None:
    """Prints the cold starts of a Plan, if it has servers."""
    starts = cold_starts(plan)
    if not starts:
        return
    console.print("\n[bold]Cold starts[/]  (minutes until a new replica answers; ~ is an estimate)")
    rows: list[tuple[str, ...]] = [("server", *_PARTS.values(), "total", "from, to", "wakes")]
    rows += [
        (f"{each.server} in {each.namespace}", *_cells(each.parts), each.wakes or "always runs") for each in starts
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        console.print(
            f"  {'    '.join(cells).rstrip()}", style="dim" if row is rows[0] else None, highlight=False, soft_wrap=True
        )


def server_start(metadata: Mapping[str, Any]) -> ServerStart | None:
    """What the annotation says; None where there is none, or one that is not of our making."""
    try:
        content = json.loads(metadata["annotations"][names.COLD_START_ANNOTATION])
        parts = {name: content[name] and {key: content[name][key] for key in _KEYS} for name in (*_PARTS, "total")}
        return ServerStart(metadata["name"], metadata["namespace"], parts, content["wakes"])
    except (KeyError, TypeError, ValueError):
        return None


def _cells(parts: dict[str, Any]) -> list[str]:
    total, more = parts["total"], "" if parts["weights"] else " and more"
    cells = [_usual(parts[name]) for name in _PARTS]
    return [*cells, f"{_usual(total)}{more}", f"{clock(total['low'])} to {clock(total['high'])}"]


def _usual(part: dict[str, Any] | None) -> str:
    return f"{'~' if part['estimate'] else ''}{clock(part['usual'])}" if part else "not known"
