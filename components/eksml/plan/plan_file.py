"""Reads a Plan from a file, whichever program wrote it."""

from pathlib import Path
from typing import Any

from eksml.errors import InputError
from eksml.json_file import read_json
from eksml.plan.believable import is_known_type
from eksml.plan.canonical import REMOTE_TYPES
from eksml.plan.model import Plan, Resource
from eksml.plan.preview_json import read_preview_json


def read_plan_file(path: Path) -> tuple[Plan, bool]:
    """The Plan of a file of `eksml preview --json` or `pulumi preview --json`, and whether it is the engine's.

    A file of `eksml preview --json` says nothing of the resources' options, nor which input comes from which resource.
    Raises InputError where the file is neither.
    """
    content = read_json(path)
    if isinstance(content, dict) and "steps" in content:
        return read_preview_json(path), True
    try:
        resources = [_resource(entry) for entry in content["resources"]]
        return Plan.of(str(content["stack"]), resources, content["exports"]), False
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(f"{path}: not the output of eksml preview --json or pulumi preview --json") from None


def _resource(entry: dict[str, Any]) -> Resource:
    return Resource(
        urn=str(entry["urn"]),
        type=str(entry["type"]),
        name=str(entry["name"]),
        parent=entry["parent"],
        # A recording has no other resources of providers than these.
        is_custom=is_known_type(entry["type"]) and entry["type"] not in REMOTE_TYPES,
        provider=entry["provider"],
        inputs=dict(entry["inputs"]),
        dependencies=tuple(map(str, entry["dependencies"])),
    )
