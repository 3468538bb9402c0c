"""Reads a Plan from what `pulumi preview --json` says."""

import json
from pathlib import Path
from typing import Any

from eksml.errors import InputError
from eksml.plan.canonical import canonical
from eksml.plan.model import STACK_TYPE, Plan, Resource

_GONE = ("delete", "delete-replaced", "discard", "discard-replaced")
_OPTIONS = (
    "additionalSecretOutputs",
    "customTimeouts",
    "deletedWith",
    "ignoreChanges",
    "protect",
    "replaceOnChanges",
    "replaceWith",
    "retainOnDelete",
)


def read_preview_json(path: Path) -> Plan:
    """The Plan of a file that holds the output of `pulumi preview --json`.

    Its exports are not in there, so the Plan has none. Raises InputError where the file is something else.
    """
    try:
        steps = json.loads(path.read_text(encoding="utf-8"))["steps"]
        resources = {step["urn"]: _resource(step["newState"]) for step in steps if step["op"] not in _GONE}
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{path}: not the output of pulumi preview --json") from None
    stack = next((urn.split("::")[0].rpartition(":")[2] for urn in resources), "")
    return Plan.of(stack, canonical(resources.values()))


def _resource(state: dict[str, Any]) -> Resource:
    urn = state["urn"]
    return Resource(
        urn=urn,
        type=state["type"],
        name=urn.rpartition("::")[2],
        parent=state.get("parent"),
        is_custom=state["custom"],
        provider=_provider(state.get("provider", "")),
        inputs=state.get("inputs", {}) if state["type"] != STACK_TYPE else {},
        dependencies=tuple(state.get("dependencies", ())),
        property_dependencies={key: tuple(urns or ()) for key, urns in state.get("propertyDependencies", {}).items()},
        options={key: state[key] for key in _OPTIONS if state.get(key)},
    )


def _provider(reference: str) -> str | None:
    urn = reference.rpartition("::")[0]
    return None if not urn or urn.rpartition("::")[2].startswith("default") else urn
