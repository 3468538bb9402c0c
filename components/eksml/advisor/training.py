"""Which way to train on Kubernetes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from eksml.advisor.ranking import Candidate, Ranking
from eksml.advisor.requirements import TrainingRequirements, requirements_of
from eksml.catalog import OrchestratorChoice, decisions, orchestrators, tools
from eksml.errors import listed


def recommend_training_orchestrator(requirements: Mapping[str, Any] | TrainingRequirements) -> Ranking:
    """The ways to train, the best first.

    Arguments:
        requirements: `framework`, and what else is known: `team`, `several_nodes`, `ease_of_use_priority`, …

    Raises SpecError with every problem of the requirements at once.
    """
    return Ranking("training", requirements_of(TrainingRequirements, requirements), _candidates)


def _candidates(asked: TrainingRequirements) -> Iterator[Candidate]:
    return (_candidate(name, tool.orchestrator, asked) for name, tool in tools().items() if tool.orchestrator)


def _candidate(name: str, choice: OrchestratorChoice, asked: TrainingRequirements) -> Candidate:
    favourite = decisions().teams[asked.team].training if asked.team else None
    pros = [f"to be chosen when {orchestrators()[choice.name].choose_when}"]
    if favourite == name:
        pros.insert(0, f"{asked.team} teams take it")
    return Candidate(
        name,
        grades=choice.grades,
        # Nobody grades the MPI operator; for a program of MPI nothing else does.
        rows=1.0 if choice.only_mpi else None if favourite is None else float(favourite == name),
        pros=tuple(pros),
        cons=(f"graded by us: {choice.ours.because}",) if choice.ours else (),
        excluded=tuple(_impossible(choice, asked)),
    )


def _impossible(choice: OrchestratorChoice, asked: TrainingRequirements) -> Iterable[str]:
    if choice.only_mpi != asked.mpi_program:
        yield "it starts programs of MPI, and yours is none" if choice.only_mpi else "it does not start programs of MPI"
    if asked.framework not in choice.frameworks:
        yield f"it trains {listed(choice.frameworks)}, not {asked.framework}"
    elif asked.several_nodes and asked.framework not in choice.on_several_nodes:
        yield f"on several nodes it trains {listed(choice.on_several_nodes)}, not {asked.framework}"
    if choice.is_alpha and not asked.allow_alpha:
        yield "it is alpha"
