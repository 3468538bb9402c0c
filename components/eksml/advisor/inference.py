"""Which model server to serve with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eksml.advisor.ranking import Candidate, Ranking, changes_of, rank
from eksml.advisor.requirements import InferenceRequirements, Processor, requirements_of
from eksml.advisor.weights import weighting
from eksml.catalog import engines, images
from eksml.catalog.decisions import decisions
from eksml.catalog.tools import EngineChoice, Tool, tools
from eksml.errors import listed

_ALL = "all"


def recommend_inference_tool(requirements: Mapping[str, Any] | InferenceRequirements) -> Ranking:
    """The model servers for a model, the best first.

    Arguments:
        requirements: `framework`, `model_type`, and what else is known: `min_performance`, `ease_of_use_priority`, …

    Raises SpecError with every problem of the requirements at once.
    """
    asked = requirements_of(InferenceRequirements, requirements)
    ranking = _ranked(asked)
    ranking.changes = changes_of(_ranked, asked)
    return ranking


def _ranked(asked: InferenceRequirements) -> Ranking:
    choices = {name: tool for name, tool in tools().items() if tool.engine}
    candidates = [_candidate(name, tool, asked) for name, tool in choices.items()]
    return rank("inference", asked, candidates, weighting().inference)


def _candidate(name: str, tool: Tool, asked: InferenceRequirements) -> Candidate:
    choice = tool.engine
    assert choice  # noqa: S101
    favourite = decisions().teams[asked.team].serving if asked.team else None
    return Candidate(
        name,
        grades=choice.grades,
        rows=None if favourite is None else float(favourite == name),
        pros=(f"{asked.team} teams take it",) if favourite == name else (),
        cons=(f"graded by us: {choice.ours.because}",) if choice.ours else (),
        excluded=tuple(_impossible(choice, asked)),
    )


def _impossible(choice: EngineChoice, asked: InferenceRequirements) -> Iterable[str]:
    if not {asked.framework, _ALL} & {*choice.frameworks}:
        text = f"it serves models of {listed(choice.frameworks)}, not of {asked.framework}"
        yield f"{text}{_corrected(choice, 'frameworks', asked.framework, choice.rating.frameworks)}"
    if not {asked.model_type, _ALL} & {*choice.model_types}:
        text = f"it serves models of type {listed(choice.model_types)}, not {asked.model_type}"
        yield f"{text}{_corrected(choice, 'modelTypes', asked.model_type, choice.rating.model_types)}"
    value = weighting().value
    performance = choice.grades["performance"]
    if value("performance", performance) < value("performance", asked.min_performance):
        yield f"its performance is {performance}, and {asked.min_performance} is needed"
    engine = engines()[choice.kind]
    backend = engine.backends[choice.backend] if choice.backend else None
    on_cpu = backend.on_cpu if backend else engine.cpu_image is not None
    on_gpu = engine.image != engine.cpu_image or not images()[engine.image].for_cpus
    if asked.hardware is Processor.CPU and not on_cpu:
        yield "it needs a GPU"
    if asked.hardware is Processor.GPU and not on_gpu:
        yield "it runs on CPUs only"


def _corrected(choice: EngineChoice, field: Any, asked: str, documents: tuple[str, ...]) -> str:
    """Why it does not, where the documents say that it does."""
    corrected = choice.corrected.get(field)
    return f" ({corrected.because.rstrip('.')})" if corrected and {asked, _ALL} & {*documents} else ""
