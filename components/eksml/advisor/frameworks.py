"""Which framework to train with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eksml.advisor.ranking import Candidate, Ranking, changes_of, rank
from eksml.advisor.requirements import FrameworkRequirements, Goal, requirements_of
from eksml.advisor.weights import weighting
from eksml.catalog.decisions import DecisionRow, decisions, rows_that_hold
from eksml.catalog.tools import FrameworkChoice, Tool, tools
from eksml.errors import listed


def recommend_framework(requirements: Mapping[str, Any] | FrameworkRequirements) -> Ranking:
    """The frameworks for what is to be done, the best first.

    Arguments:
        requirements: `goal`, `workload`, `target`, and what else is known; one of these three at least.

    Raises SpecError with every problem of the requirements at once.
    """
    asked = requirements_of(FrameworkRequirements, requirements)
    ranking = _ranked(asked)
    ranking.changes = changes_of(_ranked, asked)
    return ranking


def _ranked(asked: FrameworkRequirements) -> Ranking:
    rows = rows_that_hold(decisions().frameworks, asked.facts)
    choices = {name: tool for name, tool in tools().items() if tool.framework}
    candidates = [_candidate(name, tool, asked, rows) for name, tool in choices.items()]
    ranking = rank("framework", asked, candidates, weighting().framework)
    ranking.tools = tuple(tool for tool in _beside(ranking.top, rows) if tool not in ranking.top)
    of_top = (f"{tool.title}: {tool.note}" for tool in map(tools().__getitem__, ranking.top) if tool.note)
    ranking.notes = tuple(dict.fromkeys(note for note in (*(row.corrected for row in rows), *of_top) if note))
    return ranking


def _candidate(name: str, tool: Tool, asked: FrameworkRequirements, rows: list[DecisionRow]) -> Candidate:
    choice = tool.framework
    assert choice  # noqa: S101
    return Candidate(
        name,
        grades=_grades(choice),
        rows=sum(_support(name, row) for row in rows) / len(rows) if rows else None,
        known=None if asked.team_knows is None else float(asked.team_knows == name),
        pros=tuple(row.because for row in rows if name in row.primary),
        remarks={name: each.because for name, each in choice.corrected.items()},
        excluded=tuple(_impossible(choice, asked)),
    )


def _grades(choice: FrameworkChoice) -> dict[str, str]:
    criteria = {**(choice.judgements or {}), **(choice.stars or {}), **choice.corrected}
    return {name: grade for name in criteria if (grade := choice.grade(name))}


def _support(name: str, row: DecisionRow) -> float:
    return 1.0 if name in row.primary else weighting().secondary if name in row.secondary else 0.0


def _impossible(choice: FrameworkChoice, asked: FrameworkRequirements) -> Iterable[str]:
    if not choice.trains and asked.goal not in (None, Goal.PRODUCTION):
        yield "it runs models, and trains none"
    if asked.target and asked.target not in choice.targets:
        yield f"its models do not run on the target {asked.target}, but on {listed(choice.targets)}"
    if asked.workload and asked.workload not in choice.workloads:
        yield f"it is not made for {asked.workload}, but for {listed(choice.workloads)}"
    if asked.hardware and asked.hardware not in choice.hardware:
        yield f"it does not calculate on a {asked.hardware}, but on a {listed(choice.hardware)}"


def _beside(top: tuple[str, ...], rows: list[DecisionRow]) -> tuple[str, ...]:
    """What the rows that are for the best ones say to take with them."""
    return tuple(dict.fromkeys(tool for row in rows if {*top} & {*row.primary} for tool in row.tools))
