"""A Diff as plain data, for machines."""

from typing import Any

from eksml.plan.diff import Diff, InputChange, Kind, ResourceChange


def diff_json(diff: Diff) -> dict[str, Any]:
    """A Diff as `eksml diff --json` prints it; changes stand in it worst first."""
    return {
        "before": diff.before,
        "after": diff.after,
        "counts": {kind.value: len(diff.of_kind(kind)) for kind in Kind} | {"same": diff.same},
        "changes": [_change(change) for change in diff.changes],
        "notes": list(diff.notes),
    }


def _change(change: ResourceChange) -> dict[str, Any]:
    return {
        "kind": change.kind.value,
        "urn": change.urn,
        "type": change.type,
        "name": change.name,
        "stateful": change.is_stateful,
        "replacementKnown": change.is_replacement_known,
        "inputs": [_input(each) for each in change.inputs],
    }


def _input(change: InputChange) -> dict[str, Any]:
    return {
        "path": change.path,
        "before": change.before,
        "after": change.after,
        "effect": change.effect.value,
        "computedFrom": change.computed_from,
    }
