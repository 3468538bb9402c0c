"""`eksml recommend`: which tools and which platform to choose."""

import json
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from eksml.cli.arguments import AsJson, values_of

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from rich.console import Console

    from eksml.advisor import MlopsStack, ProfileChoice, Ranking
    from eksml.advisor.requirements import Requirements

_WIDTH = 80
_MOST_CHANGES = 8


class Question(StrEnum):
    """What can be asked."""

    PROFILE = "profile"
    FRAMEWORK = "framework"
    INFERENCE = "inference"
    TRAINING = "training"
    MLOPS = "mlops"


def recommend(
    question: Annotated[
        Question, typer.Argument(help="A whole platform, or one choice.", show_default=True)
    ] = Question.PROFILE,
    answers: Annotated[
        Path | None,
        typer.Option("--answers", metavar="FILE", help="A YAML file with requirements.", show_default=False),
    ] = None,
    answer: Annotated[
        list[str] | None,
        typer.Option(
            "--answer",
            metavar="NAME=VALUE",
            help="One requirement, such as goal=production; over those of --answers. VALUE is YAML. Repeatable.",
            show_default=False,
        ),
    ] = None,
    stack: Annotated[
        str | None,
        typer.Option("--stack", metavar="NAME", help="Write the platform into a new stack file.", show_default=False),
    ] = None,
    questions: Annotated[bool, typer.Option("--questions", help="List what is asked, and leave it at that.")] = False,
    as_json: AsJson = False,
) -> None:
    """Recommend tools, or a whole platform, with reasons.

    Asks on a terminal where nothing is answered yet. Exit code 1 if nothing meets the requirements.

    \b
    Examples:
      eksml recommend
      eksml recommend --answers answers.yaml --stack lab
      eksml recommend framework --answer goal=production --answer target=mobile
      eksml recommend inference --answer framework=pytorch --answer model_type=llm
      eksml recommend training --questions
    """
    from eksml.errors import InputError

    if stack is not None and question is not Question.PROFILE:
        raise InputError(f"--stack {stack}: only a profile is a stack: leave out {question.value}")
    if questions:
        _list(question)
        return
    given = {**(_read(answers) if answers else {}), **values_of(answer or [], "--answer", "goal=production")}
    if not given and answers is None and sys.stdin.isatty():
        given = _asked(question)
    if question is Question.PROFILE:
        _profile(given, stack, as_json=as_json)
    elif question is Question.MLOPS:
        _mlops(given, as_json=as_json)
    else:
        _ranking(question, given, as_json=as_json)


def _read(file: Path) -> dict[str, Any]:
    from eksml.errors import InputError
    from eksml.plan.project import parse_yaml

    try:
        content = parse_yaml(file.read_text(encoding="utf-8"), str(file))
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{file}: not YAML: it is no text") from None
    if not isinstance(content, dict):
        raise InputError(f"{file}: must be a mapping of requirements, such as `goal: production`")
    return content


def _requirements(question: Question) -> "type[Requirements]":
    from eksml.advisor import requirements

    return {
        Question.PROFILE: requirements.ProfileAnswers,
        Question.FRAMEWORK: requirements.FrameworkRequirements,
        Question.INFERENCE: requirements.InferenceRequirements,
        Question.TRAINING: requirements.TrainingRequirements,
        Question.MLOPS: requirements.MlopsRequirements,
    }[question]


def _profile(given: Mapping[str, Any], stack: str | None, *, as_json: bool) -> None:
    from eksml.advisor import recommend_profile
    from eksml.cli.init import platform_name, write_stack
    from eksml.cli.output import working

    with working("Making a platform of the answers"):
        choice = recommend_profile(given, **({"name": platform_name(stack)} if stack else {}))
    if stack:
        _tell(choice)
        write_stack(stack, choice.stack_file())
    elif as_json:
        _print_json(choice.as_json())
    else:
        typer.echo(choice.stack_file(), nl=False)


def _tell(choice: "ProfileChoice") -> None:
    """What was chosen and why, beside the answer, which is the names of the files."""
    for reason in choice.reasons:
        typer.echo(_wrapped(reason, "- "), err=True)
    for step in choice.steps:
        typer.echo(_wrapped(f"Before `pulumi up`: {step}", "- "), err=True)


def _mlops(given: Mapping[str, Any], *, as_json: bool) -> None:
    from eksml.advisor import select_mlops_stack
    from eksml.cli.output import answer

    stack = select_mlops_stack(given)
    if as_json:
        _print_json(stack.as_json())
    else:
        _show_mlops(stack, answer())


def _ranking(question: Question, given: Mapping[str, Any], *, as_json: bool) -> None:
    from eksml.advisor import recommend_framework, recommend_inference_tool, recommend_training_orchestrator
    from eksml.cli.output import answer
    from eksml.errors import CheckFailed

    recommenders = {
        Question.FRAMEWORK: recommend_framework,
        Question.INFERENCE: recommend_inference_tool,
        Question.TRAINING: recommend_training_orchestrator,
    }
    ranking = recommenders[question](given)
    if as_json:
        _print_json(ranking.as_json())
    else:
        _show(ranking, answer())
    if not ranking:
        raise CheckFailed("nothing meets all requirements")


def _show(ranking: "Ranking", console: "Console") -> None:
    from rich.table import Table

    from eksml.catalog.tools import tools

    if ranking.ties:
        titles = ", ".join(tools()[name].title for name in ranking.ties)
        _print(console, f"A tie, there is nothing to choose between them: {titles}.")
    if ranking:
        table = Table(box=None, pad_edge=False)
        for heading in ("name", "tool", "score", "upstream"):
            table.add_column(heading, justify="right" if heading == "score" else "left")
        for name, score in ranking:
            upstream = tools()[name].upstream
            table.add_row(name, tools()[name].title, f"{score:.1f}", f"{upstream.state}, {upstream.released or '-'}")
        console.print(table)
    for name, _ in ranking[: max(2, len(ranking.ties))]:
        reasons = ranking.reasons[name]
        _print(console, f"\n{name}")
        for sign, texts in (("+", reasons.pros), ("-", reasons.cons)):
            for text in texts:
                _print(console, text, f"  {sign} ")
    _show_list(console, "Beside it", [f"{name}: {tools()[name].title}" for name in ranking.tools])
    out = [f"{name}: {'; '.join(reasons)}" for name, reasons in ranking.excluded.items()]
    _show_list(console, "Out of the question", out)
    _show_list(console, "To be known", ranking.notes)
    _show_changes(console, ranking.changes)


def _show_mlops(stack: "MlopsStack", console: "Console") -> None:
    for part, tool in stack.items():
        console.print(f"{part + ':':<21}{tool}")
    for part, reasons in stack.reasons.items():
        _print(console, f"\n{part}")
        for sign, texts in (("+", reasons.pros), ("-", reasons.cons)):
            for text in texts:
                _print(console, text, f"  {sign} ")
    out = [f"{name}: {'; '.join(reasons)}" for name, reasons in stack.excluded.items()]
    _show_list(console, "Out of the question", out)
    _show_changes(console, stack.changes)


def _show_changes(console: "Console", changes: Any) -> None:
    told = [f"{each.requirement}={_text(each.value)}: {', '.join(each.best) or 'nothing'}" for each in changes]
    more = [f"and {len(told) - _MOST_CHANGES} more (--json)"] if len(told) > _MOST_CHANGES else []
    _show_list(console, "What would change it", [*told[:_MOST_CHANGES], *more])


def _show_list(console: "Console", heading: str, texts: Any) -> None:
    if texts:
        _print(console, f"\n{heading}")
    for text in texts:
        _print(console, text, "  ")


def _print(console: "Console", text: str, mark: str = "") -> None:
    console.print(_wrapped(text, mark), markup=False, soft_wrap=True)


def _wrapped(text: str, mark: str) -> str:
    start = "\n" if text.startswith("\n") else ""
    indent = " " * len(mark)
    return start + "\n".join(wrap(text.strip(), _WIDTH, initial_indent=mark, subsequent_indent=indent))


def _text(value: Any) -> str:
    """A value as it is given."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _print_json(content: dict[str, Any]) -> None:
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))


def _list(question: Question) -> None:
    """What is asked, and what may be answered."""
    for name, field in _requirements(question).model_fields.items():
        typer.echo(_wrapped(_described(name, field), ""))
        typer.echo(_wrapped(_meant(field), "    "))


def _asked(question: Question) -> dict[str, Any]:
    """Asks a person, on standard error; an empty answer leaves what is said to be the default."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    kind = _requirements(question)
    given: dict[str, Any] = {}
    _print(console, "An empty answer leaves the default. Ctrl-C ends, and nothing is written.")
    for name, field in kind.model_fields.items():
        if name == "priorities":
            continue
        _print(console, f"\n{_meant(field)}")
        while problems := _take(kind, given, name, _line(console, _described(name, field))):
            for problem in problems:
                _print(console, problem, "  ")
    return given


def _line(console: "Console", prompt: str) -> str:
    from eksml.errors import InputError

    _print(console, prompt)
    try:
        return console.input("> ").strip()
    except EOFError:
        raise InputError("the answers ended before the questions: nothing is written") from None


def _take(kind: "type[Requirements]", given: dict[str, Any], name: str, text: str) -> list[str]:
    """Takes an answer over, unless something is wrong with it, which is told."""
    from eksml.errors import InputError, SpecError
    from eksml.plan.project import parse_yaml
    from eksml.spec import parse

    if not text and not kind.model_fields[name].is_required():
        return []
    try:
        value = parse_yaml(text, name) if text else None
        parse(kind, {**given, name: value})
    except SpecError as error:
        if of_this := [str(problem) for problem in error.problems if problem.path[:1] == (name,)]:
            return of_this
    except InputError as error:
        return [str(error)]
    given[name] = value
    return []


def _described(name: str, field: "FieldInfo") -> str:
    """Its name, what may be answered, and what is taken without an answer."""
    allowed = _allowed(field.annotation)
    values = f" ({', '.join(allowed)})" if allowed else ""
    return f"{name}{values}{'' if field.is_required() else f' [{_text(field.default)}]'}"


def _meant(field: "FieldInfo") -> str:
    return " ".join((field.description or "").split())


def _allowed(annotation: Any) -> list[str]:
    """The values that a field may have; none where they cannot be listed."""
    if annotation is bool:
        return ["true", "false"]
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return [member.value for member in annotation]
    return [value for member in get_args(annotation) for value in _allowed(member)]
