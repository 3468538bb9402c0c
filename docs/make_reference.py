"""Writes docs/reference.md from the code, every setting and every component. `uv run python docs/make_reference.py`."""

import inspect
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

import eksml
from eksml._error_text import MEANINGS
from eksml.component import Component
from eksml.spec import Spec

REFERENCE = Path(__file__).with_name("reference.md")

HEAD = """# Reference

Made from the code by `docs/make_reference.py`; a test holds it equal. In Python the same names are in snake_case.
"""

STACK_SETTINGS = """## Settings of a stack file

They stand below `eksml:platform`, beginning with those of [PlatformSpec](#platformspec).
"""

OTHER_SPECS = """## Other Specs

For components that a platform makes by itself; they stand in programs, not in stack files.
"""


def reference() -> str:
    """The whole page."""
    public = [getattr(eksml, name) for names in eksml._PUBLIC.values() for name in names]
    specs = [each for each in public if isinstance(each, type) and issubclass(each, Spec)]
    components = [each for each in public if isinstance(each, type) and issubclass(each, Component)]
    specs.sort(key=lambda spec: (spec is not eksml.PlatformSpec, spec.__module__))
    components.sort(key=lambda component: (component is not eksml.Platform, component.__module__))
    in_stack_files = {"PlatformSpec", *eksml.PlatformSpec.model_json_schema()["$defs"]}
    settings = [spec for spec in specs if spec.__name__ in in_stack_files]
    others = [spec for spec in specs if spec.__name__ not in in_stack_files]
    parts = [HEAD, STACK_SETTINGS, *map(_spec, settings), OTHER_SPECS, *map(_spec, others)]
    parts += ["## Components\n", *map(_component, components)]
    return "\n".join(parts)


def _spec(spec: type[Spec]) -> str:
    schema = spec.model_json_schema(by_alias=True)
    definitions = schema.get("$defs", {})
    rows = [
        _row(field.alias or name, field, _values(schema["properties"][field.alias or name], definitions))
        for name, field in spec.model_fields.items()
    ]
    head = f"### {spec.__name__}\n\n{inspect.getdoc(spec)}\n"
    return f"{head}\n| setting | values | default | meaning |\n| --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"


def _row(name: str, field: FieldInfo, values: str) -> str:
    default = "required" if field.is_required() else _default(field)
    cells = (f"`{name}`", values, default, field.description or "")
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _default(field: FieldInfo) -> str:
    value = to_jsonable_python(field.get_default(call_default_factory=True), by_alias=True)
    if value is None or value in ({}, []):
        return "none"
    text = json.dumps(value).replace('"', "") if isinstance(value, list | bool) else value
    return f"`{text}`"


def _values(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    def each(schemas: Iterable[dict[str, Any]]) -> str:
        return " or ".join(_values(schema, definitions) for schema in schemas)

    match schema:
        case {"const": value}:
            return f"`{value}`"
        case {"enum": values}:
            return ", ".join(f"`{value}`" for value in values)
        case {"pattern": pattern}:
            return MEANINGS[pattern]
        case {"anyOf": members} | {"oneOf": members}:
            return each(member for member in members if member.get("type") != "null")
        case {"$ref": reference}:
            name = reference.rpartition("/")[2]
            is_choice = "enum" in definitions[name]
            return each([definitions[name]]) if is_choice else f"[{name}](#{name.lower()})"
        case {"type": "array", "items": items}:
            return f"list: {each([items])}"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"mapping to {each([values])}"
        case {"type": "object", "patternProperties": patterns}:
            return f"mapping to {each(patterns.values())}"
        case {"type": "integer", "minimum": least, "maximum": most}:
            return f"whole number from {least} to {most}"
        case {"type": "boolean"}:
            return "true or false"
        case {"type": "string"}:
            return "text"
        case _:
            return "anything"


def _component(component: type[Component]) -> str:
    arguments = ", ".join(_argument(each) for each in _parameters(component))
    return f"### {component.__name__}\n\n`{component.__name__}({arguments})`\n\n{_markdown(component)}\n"


def _parameters(component: type[Component]) -> list[inspect.Parameter]:
    return list(inspect.signature(component.__init__).parameters.values())[1:]


def _argument(parameter: inspect.Parameter) -> str:
    return parameter.name if parameter.default is inspect.Parameter.empty else f"{parameter.name}=…"


def _markdown(component: type[Component]) -> str:
    """A docstring with its lists of arguments and attributes as lists of Markdown."""
    lines = []
    for line in (inspect.getdoc(component) or "").splitlines():
        name, colon, meaning = line.strip().partition(": ")
        is_item = line.startswith("    ") and not line.startswith("     ") and colon
        lines.append(f"- `{name}`: {meaning}" if is_item else line.strip() if line.startswith(" ") else line)
        if line in ("Arguments:", "Attributes:"):
            lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    REFERENCE.write_text(reference(), encoding="utf-8")
