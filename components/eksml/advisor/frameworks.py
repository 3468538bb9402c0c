"""Which framework to train with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from eksml.advisor.ranking import Candidate, Ranking
from eksml.advisor.requirements import FrameworkRequirements, Goal, requirements_of
from eksml.advisor.weights import weighting
from eksml.catalog import DecisionRow, FrameworkChoice, decisions, rows_that_hold, tools
from eksml.errors import listed


def recommend_framework(requirements: Mapping[str, Any] | FrameworkRequirements) -> Ranking:
    """The frameworks for what is to be done, the best first.

    Arguments:
        requirements: `goal`, `workload`, `target`, and what else is known; one of these three at least.

    Raises SpecError with every problem of the requirements at once.
    """
    return Ranking("framework", requirements_of(FrameworkRequirements, requirements), _candidates)


def _candidates(asked: FrameworkRequirements) -> Iterator[Candidate]:
    choices = {name: tool.framework for name, tool in tools().items() if tool.framework}
    excluded = {name: tuple(_impossible(choice, asked)) for name, choice in choices.items()}
    met = rows_that_hold(decisions().frameworks, asked.facts)
    # A row is no help where nothing that it names first can be.
    rows = [row for row in met if not all(excluded[name] for name in row.primary)]
    return (_candidate(name, choice, excluded[name], asked, rows) for name, choice in choices.items())


def _candidate(
    name: str,
    choice: FrameworkChoice,
    excluded: tuple[str, ...],
    asked: FrameworkRequirements,
    rows: list[DecisionRow],
) -> Candidate:
    first = [row for row in rows if name in row.primary]
    second = [row for row in rows if name in row.secondary]
    support = len(first) + weighting().secondary * len(second)
    return Candidate(
        name,
        grades=_grades(choice),
        rows=support / len(rows) if rows else None,
        known=None if asked.team_knows is None else float(asked.team_knows == name),
        pros=tuple(dict.fromkeys((*(row.because for row in first), *(row.second_because for row in second)))),
        remarks={criterion: each.because for criterion, each in choice.corrected.items()},
        excluded=excluded,
        beside=tuple(tool for row in first for tool in row.tools),
        notes=tuple(row.corrected for row in rows if row.corrected),
    )


def _grades(choice: FrameworkChoice) -> dict[str, str]:
    criteria = {**(choice.judgements or {}), **(choice.stars or {}), **choice.corrected}
    return {name: grade for name in criteria if (grade := choice.grade(name))}


def _impossible(choice: FrameworkChoice, asked: FrameworkRequirements) -> Iterable[str]:
    if not choice.trains and asked.goal not in (None, Goal.PRODUCTION):
        yield "it runs models, and trains none"
    if asked.target and asked.target not in choice.targets:
        yield f"its models do not run on the target {asked.target}, but on {listed(choice.targets)}"
    if asked.workload and asked.workload not in choice.workloads:
        yield f"it is not made for {asked.workload}, but for {listed(choice.workloads)}"
    if asked.hardware and asked.hardware not in choice.hardware:
        yield f"it does not calculate on a {asked.hardware}, but on a {listed(choice.hardware)}"
