"""The real CRDs, as strict as an API server that refuses unknown fields."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator


def check_admitted(made: Mapping[str, Any], shared: Path) -> None:
    """Fails unless the object fits the schema of its kind, with no field that the schema does not know."""
    group, _, version = made["apiVersion"].partition("/")
    _validator(shared / "crds" / "schemas" / f"{group}_{version}_{made['kind']}.json").validate(made)


@cache
def _validator(file: Path) -> Draft202012Validator:
    # Not jsonschema.validate, which judges the schema itself each time: seconds for those of pods in pods.
    return Draft202012Validator(_strict(json.loads(file.read_text())["schema"]))


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    return closed
