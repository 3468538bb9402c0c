"""The questions of `eksml recommend`: what is asked, and a person who answers on a terminal."""

from enum import StrEnum
from shlex import quote
from textwrap import wrap
from typing import TYPE_CHECKING, Any, get_args

import typer

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from eksml.advisor.requirements import Requirements
    from eksml.errors import Problem

_WIDTH = 80


def list_questions(kind: "type[Requirements]") -> None:
    """What is asked, and what may be answered."""
    for name, field in kind.model_fields.items():
        typer.echo(wrapped(_described(name, field)))
        typer.echo(wrapped(_meant(field), "    ", "    "))


def ask(kind: "type[Requirements]", question: str) -> dict[str, Any]:
    """The answers of a person on a terminal, who is asked on standard error and sees how to give them at once."""
    given: dict[str, Any] = {}
    _say("An empty answer leaves the default. Ctrl-C ends, and nothing is written.")
    for name, field in kind.model_fields.items():
        if name == "priorities" or not kind.is_asked(name, given):
            continue
        _say(f"\n{wrapped(_meant(field))}")
        while problems := _take(kind, given, name, _line(_described(name, field))):
            for problem in problems:
                _say(wrapped(problem, "  ", "  "))
    answers = " ".join(f"--answer {quote(f'{name}={in_yaml(value)}')}" for name, value in given.items())
    _say(f"\nThe same without questions:\n  eksml recommend {question} {answers}\n")
    return given


def wrapped(text: str, first: str = "", rest: str = "") -> str:
    """A text in lines of 80 columns, with a mark before the first one, and as much before each other."""
    return "\n".join(wrap(text, _WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False))


def in_yaml(value: Any) -> str:
    """A value as it is given."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(str, value))}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _line(prompt: str) -> str:
    from eksml.errors import InputError

    _say(wrapped(prompt))
    typer.echo("> ", err=True, nl=False)
    try:
        return input().strip()
    except EOFError:
        raise InputError("the answers ended before the questions: nothing is written") from None


def _take(kind: "type[Requirements]", given: dict[str, Any], name: str, text: str) -> list[str]:
    """Takes an answer over, unless something is wrong with it, which is told."""
    from eksml.errors import InputError, SpecError
    from eksml.plan.project import parse_yaml
    from eksml.spec import parse

    try:
        now = {**given, name: parse_yaml(text, name)} if text else given
        parse(kind, now)
    except SpecError as error:
        if told := [str(problem) for problem in error.problems if _is_about(problem, name, kind, text)]:
            return told
    except InputError as error:
        return [str(error)]
    given.update(now)
    return []


def _is_about(problem: "Problem", name: str, kind: "type[Requirements]", text: str) -> bool:
    """Whether it is this answer that is wrong, or missing; what a later one may still mend is not told yet."""
    is_needed = text or kind.model_fields[name].is_required() or name in kind.needs
    return problem.path[:1] == (name,) and bool(is_needed)


def _described(name: str, field: "FieldInfo") -> str:
    """Its name, what may be answered, and what is taken without an answer."""
    allowed = _allowed(field.annotation)
    values = f" ({', '.join(allowed)})" if allowed else ""
    default = "" if field.is_required() else " [none]" if field.default is None else f" [{in_yaml(field.default)}]"
    return f"{name}{values}{default}"


def _meant(field: "FieldInfo") -> str:
    return " ".join((field.description or "").split())


def _allowed(annotation: Any) -> list[str]:
    """The values that a field may have; none where they cannot be listed."""
    if annotation is bool:
        return ["true", "false"]
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return [member.value for member in annotation]
    return [value for member in get_args(annotation) for value in _allowed(member)]
