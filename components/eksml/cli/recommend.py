"""`eksml recommend`: which tools and which platform to choose."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eksml.cli.arguments import AsJson, values_of
from eksml.cli.questions import ask, in_yaml, list_questions, wrapped

if TYPE_CHECKING:
    from eksml.advisor import Change, MlopsStack, ProfileChoice, Ranking, Reasons
    from eksml.advisor.requirements import Requirements


class Question(StrEnum):
    """What can be asked."""

    PROFILE = "profile"
    FRAMEWORK = "framework"
    INFERENCE = "inference"
    TRAINING = "training"
    MLOPS = "mlops"


def recommend(
    question: Annotated[
        str,
        typer.Argument(metavar="[QUESTION]", help=f"A whole platform, or one choice: {', '.join(Question)}."),
    ] = Question.PROFILE.value,
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

    Asks on a terminal where nothing is answered yet. Exit code 1 if nothing meets the requirements, or if the platform
    costs more than monthly_usd at the least.

    \b
    Examples:
      eksml recommend
      eksml recommend --answers answers.yaml --stack lab
      eksml recommend framework --answer goal=production --answer target=mobile
      eksml recommend inference --answer framework=pytorch --answer model_type=llm
      eksml recommend training --questions
    """
    from eksml.cli.init import new_stack_file
    from eksml.errors import InputError

    asked = _question(question)
    if stack is not None and asked is not Question.PROFILE:
        raise InputError(f"--stack {stack}: only a profile is a stack: leave out {asked.value}")
    if stack is not None and as_json:
        raise InputError(f"--json: --stack {stack} writes a file: give one of the two")
    if questions:
        ours = {"--answers": answers, "--answer": answer, "--stack": stack, "--json": as_json}
        if useless := [f"{option}: has no effect with --questions" for option, value in ours.items() if value]:
            raise InputError("\n".join(useless))
        list_questions(_requirements(asked))
        return
    if stack is not None:
        # Before anybody answers.
        new_stack_file(stack)
    given = {**(_read(answers) if answers else {}), **values_of(answer or [], "--answer", "goal=production")}
    if not given and answers is None and sys.stdin.isatty():
        given = ask(_requirements(asked), asked.value)
    if asked is Question.PROFILE:
        _profile(given, stack, as_json=as_json)
    elif asked is Question.MLOPS:
        _mlops(given, as_json=as_json)
    else:
        _ranking(asked, given, as_json=as_json)


def _question(name: str) -> Question:
    from eksml.errors import InputError, listed, nearest

    if name not in [*Question]:
        raise InputError(f"{name}: no question, must be {listed(Question)}{nearest(name, Question)}")
    return Question(name)


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
    from eksml.cli.recommended_costs import with_costs

    with working("Making a platform of the answers, and its bill"):
        choice = with_costs(recommend_profile(given, **({"name": platform_name(stack)} if stack else {})))
    if stack:
        _tell(choice)
        write_stack(stack, choice.stack_file())
    elif as_json:
        _print_json(choice.as_json())
    else:
        typer.echo(choice.stack_file(), nl=False)


def _tell(choice: "ProfileChoice") -> None:
    """What was chosen and why, beside the answer, which is the names of the files."""
    changes = _grouped(choice.changes, lambda new: f"{', '.join(new)} instead")
    for text in (
        *choice.reasons,
        *(f"Before `pulumi up`: {step}" for step in choice.steps),
        *(f"With {change}." for change in changes),
    ):
        typer.echo(wrapped(text, "- ", "  "), err=True)


def _mlops(given: Mapping[str, Any], *, as_json: bool) -> None:
    from eksml.advisor import select_mlops_stack

    stack = select_mlops_stack(given)
    if as_json:
        _print_json(stack.as_json())
    else:
        _show_mlops(stack)


def _ranking(question: Question, given: Mapping[str, Any], *, as_json: bool) -> None:
    from eksml.advisor import recommend_framework, recommend_inference_tool, recommend_training_orchestrator
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
        _show(ranking)
    if not ranking:
        raise CheckFailed("nothing meets all requirements")


def _show(ranking: "Ranking") -> None:
    if ranking.ties:
        typer.echo(wrapped(f"A tie, there is nothing to choose between them: {', '.join(_titles(ranking.ties))}."))
    if ranking:
        _show_scores(ranking)
    for name, _ in ranking[: max(2, len(ranking.ties))]:
        _show_reasons(name, ranking.reasons[name])
    _show_list("Beside it", _titles(ranking.tools))
    _show_excluded(ranking.excluded)
    _show_list("Not judged", _titles(ranking.unjudged))
    _show_list("To be known", ranking.notes)
    _show_changes(ranking.changes, lambda best: " or ".join(best) or "nothing would do")


def _show_scores(ranking: "Ranking") -> None:
    from rich.table import Table

    from eksml.catalog import tools
    from eksml.cli.output import answer

    table = Table(box=None, pad_edge=False)
    for heading in ("name", "tool", "score", "upstream"):
        table.add_column(heading, justify="right" if heading == "score" else "left")
    for name, score in ranking:
        upstream = tools()[name].upstream
        table.add_row(name, tools()[name].title, f"{score:.1f}", f"{upstream.state}, {upstream.released or '-'}")
    answer().print(table)


def _show_mlops(stack: "MlopsStack") -> None:
    for part, tool in stack.items():
        typer.echo(f"{part + ':':<21}{tool}")
    for part, reasons in stack.reasons.items():
        _show_reasons(part, reasons)
    _show_excluded(stack.excluded)
    _show_changes(stack.changes, lambda best: f"tracking {best[0]}, registry {best[1]}")


def _show_reasons(name: str, reasons: "Reasons") -> None:
    typer.echo(f"\n{name}")
    for mark, texts in (("  + ", reasons.pros), ("  - ", reasons.cons)):
        for text in texts:
            typer.echo(wrapped(text, mark, "    "))


def _show_excluded(excluded: Mapping[str, tuple[str, ...]]) -> None:
    _show_list("Out of the question", (f"{name}: {'; '.join(reasons)}" for name, reasons in excluded.items()))


def _show_changes(changes: "Iterable[Change]", told: Callable[[tuple[str, ...]], str]) -> None:
    _show_list("What would change it", _grouped(changes, told))


def _grouped(changes: "Iterable[Change]", told: Callable[[tuple[str, ...]], str]) -> list[str]:
    """A line for each answer that is another one, with all values of a requirement that bring it."""
    from eksml.errors import listed

    values: dict[tuple[str, str], list[str]] = {}
    for change in changes:
        values.setdefault((change.requirement, told(change.best)), []).append(in_yaml(change.value))
    return [f"{name}={listed(each)}: {best}" for (name, best), each in values.items()]


def _show_list(heading: str, texts: Iterable[str]) -> None:
    for number, text in enumerate(texts):
        if number == 0:
            typer.echo(f"\n{heading}")
        typer.echo(wrapped(text, "  ", "    "))


def _titles(names: Iterable[str]) -> list[str]:
    from eksml.catalog import tools

    return [tools()[name].title for name in names]


def _print_json(content: dict[str, Any]) -> None:
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
