"""Pydantic's errors in the words of the stack file: where it is, what was given, and what would be right."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from eksml.errors import Problem, SpecError, listed, nearest
from eksml.paths import Path

Location = tuple[str | int, ...]

MEANINGS: dict[str, str] = {}
"""What each pattern of a field means, in words."""

_WANTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_type": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}

_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("above", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("below", "lt"),
}


def problems_of(model: type[BaseModel], error: ValidationError, data: Any) -> list[Problem]:
    """Every problem that a validation of the data found."""
    problems = []
    for details in error.errors():
        cause = details.get("ctx", {}).get("error")
        path = path_of(details["loc"], data)
        if isinstance(cause, SpecError):
            problems += [problem.below(path) for problem in cause.problems]
        else:
            problems.append(Problem(path, _text(model, details, path)))
    items = {problem.path[:-1] for problem in problems if problem.path}
    # A list is also called too short where pydantic left out the items that it could not read.
    too_short = {path_of(details["loc"], data) for details in error.errors() if details["type"] == "too_short"}
    return [problem for problem in problems if problem.path not in too_short & items]


def path_of(location: Location, data: Any) -> Path:
    """The location without what pydantic adds to it: the tag of a union's member, and the mark of a key."""
    path: list[str | int] = []
    is_tagged = False
    for key in location:
        # The tag comes before the fields, of which one may have the same name.
        is_tag = not is_tagged and isinstance(data, Mapping) and data.get("kind") == key
        is_tagged = is_tagged or is_tag
        if key == "[key]" or is_tag:
            continue
        path.append(key)
        data, is_tagged = item(data, key), False
    return tuple(path)


def item(data: Any, key: str | int) -> Any:
    """What a mapping or a list holds at a key, or None."""
    if isinstance(data, Mapping):
        return data.get(as_given(key, data))
    if isinstance(data, list | tuple) and isinstance(key, int) and key < len(data):
        return data[key]
    return None


def as_given(key: str | int, data: Any) -> Any:
    """A key as the data has it: a location shows one that is neither text nor a whole number as text."""
    if not isinstance(data, Mapping) or key in data:
        return key
    return next((other for other in data if key in (str(other), repr(other))), key)


def _text(model: type[BaseModel], error: Any, path: Path) -> str:
    given, context = _given(error["input"]), error.get("ctx", {})
    field = _field_at(model, error["loc"])
    reason = f" ({' '.join(field.description.split()).rstrip('.')})" if field and field.description else ""
    match error["type"]:
        case "missing":
            return f"missing{reason}{_of_its_values(field)}"
        case "extra_forbidden":
            known = _known_keys(model, error["loc"][:-1])
            return "unknown key" + (nearest(str(path[-1]), known) or f", known here: {', '.join(known)}")
        case "invalid_key":
            return "this key is no text: put it in quotes"
        case "union_tag_not_found":
            return f"missing its kind{reason}"
        case "union_tag_invalid":
            kinds = _choices(context["expected_tags"])
            return f"kind '{context['tag']}' does not exist, must be {listed(kinds)}{nearest(context['tag'], kinds)}"
        case "literal_error" | "enum":
            choices = _choices(context["expected"])
            return f"{given} given, must be {listed(choices)}{nearest(str(error['input']), choices)}"
        case "string_pattern_mismatch":
            return (
                f"{given} given, must be {MEANINGS.get(context['pattern'], 'text that matches ' + context['pattern'])}"
            )
        case "string_type" if isinstance(error["input"], int | float) and not isinstance(error["input"], bool):
            return f'{given} given, must be text: put it in quotes, "{error["input"]}"'
        case "string_too_long":
            return f"{len(error['input'])} characters given, must be at most {context['max_length']}{reason}"
        case "too_short" | "string_too_short":
            count = f"{len(error['input'])} given" if error["input"] else "empty"
            return f"{count}, needs at least {context['min_length']}{reason}"
        case kind if kind in _BOUNDS:
            words, key = _BOUNDS[kind]
            is_a_number = error["input"] == error["input"]
            return f"{given} given, must be {f'{words} {_whole(context[key])}' if is_a_number else 'a number'}{reason}"
        case "value_error":
            return f"{given} given, {context['error']}"
        case kind if kind in _WANTED:
            return f"{given} given, must be {_WANTED[kind]}{reason}"
        case _:
            return f"{given} given: {error['msg']}"


def _of_its_values(field: FieldInfo | None) -> str:
    """`: a, b or c` where a field must be one of these."""
    kind = field.annotation if field else None
    return f": {listed(kind)}" if isinstance(kind, type) and issubclass(kind, StrEnum) else ""


def _whole(number: float) -> float:
    """A number as a whole one, where it is one."""
    return int(number) if number == int(number) else number


def _given(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _choices(text: str) -> list[str]:
    """The choices in pydantic's words: `'a', 'b' or 'c'`, `1, 2 or 3`."""
    return [word.strip("'") for word in re.split(r", | or ", text)]


def _field_at(model: type[BaseModel], location: Location) -> FieldInfo | None:
    owner = _model_at(model, location[:-1])
    return _fields(owner).get(location[-1]) if owner and location else None


def _known_keys(model: type[BaseModel], location: Location) -> list[str]:
    owner = _model_at(model, location)
    return [str(key) for key in _fields(owner)] if owner else []


def _fields(model: type[BaseModel]) -> dict[str | int, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model_at(annotation: Any, location: Location) -> type[BaseModel] | None:
    """The model at a location: through fields, the items of lists and mappings, and the members of unions."""
    if get_origin(annotation) is Annotated:
        return _model_at(get_args(annotation)[0], location)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = _fields(annotation).get(location[0]) if location else None
        return _model_at(field.annotation, location[1:]) if field else None if location else annotation
    members = [member for member in get_args(annotation) if member not in (type(None), Ellipsis)]
    if get_origin(annotation) in (dict, tuple):
        return _model_at(members[-1], location[1:]) if location else None
    if len(members) == 1:
        return _model_at(members[0], location)
    of_kind = [member for member in members if location and _kind(member) == location[0]]
    return _model_at(of_kind[0], location[1:]) if of_kind else None


def _kind(member: Any) -> str | None:
    field = getattr(member, "model_fields", {}).get("kind")
    return field.default if field else None
