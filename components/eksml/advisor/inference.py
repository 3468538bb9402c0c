"""Which model server to serve with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from eksml.advisor.ranking import Candidate, Ranking
from eksml.advisor.requirements import InferenceRequirements, ModelType, Processor, WorkloadKind, requirements_of
from eksml.advisor.weights import weighting
from eksml.catalog import EngineChoice, decisions, engines, images, tools
from eksml.errors import listed

_ALL = "all"
_LANGUAGE_MODELS = (ModelType.LLM, ModelType.CHAT)
# What a framework must be made for, where models are of some type.
_WORKLOADS = {
    **dict.fromkeys((*_LANGUAGE_MODELS, ModelType.EMBEDDING), WorkloadKind.LANGUAGE_MODEL),
    ModelType.VISION: WorkloadKind.VISION,
}


def recommend_inference_tool(requirements: Mapping[str, Any] | InferenceRequirements) -> Ranking:
    """The model servers for a model, the best first.

    Arguments:
        requirements: `framework`, `model_type`, and what else is known: `min_performance`, `ease_of_use_priority`, …

    Raises SpecError with every problem of the requirements at once.
    """
    return Ranking("inference", requirements_of(InferenceRequirements, requirements), _candidates)


def _candidates(asked: InferenceRequirements) -> Iterator[Candidate]:
    return (_candidate(name, tool.engine, asked) for name, tool in tools().items() if tool.engine)


def _candidate(name: str, choice: EngineChoice, asked: InferenceRequirements) -> Candidate:
    favourite = decisions().teams[asked.team].serving if asked.team else None
    pros = (f"{asked.team} teams take it",) if favourite == name else ()
    if asked.framework in choice.through_onnx:
        pros += (f"it serves models of {asked.framework} through ONNX",)
    return Candidate(
        name,
        grades=choice.grades,
        rows=None if favourite is None else float(favourite == name),
        pros=pros,
        cons=tuple(_against(choice, asked)),
        excluded=tuple(_impossible(choice, asked)),
    )


def _against(choice: EngineChoice, asked: InferenceRequirements) -> Iterable[str]:
    if asked.framework in choice.through_onnx and asked.model_type in _LANGUAGE_MODELS:
        yield "through ONNX no request joins a batch that runs: as a checkpoint of Hugging Face, vLLM serves it"
    if choice.ours:
        yield f"graded by us: {choice.ours.because}"


def _impossible(choice: EngineChoice, asked: InferenceRequirements) -> Iterable[str]:
    made_with, workload = tools()[asked.framework].framework, _WORKLOADS.get(asked.model_type)
    if made_with and workload and workload not in made_with.workloads:
        yield f"{asked.framework} is not made for models of type {asked.model_type}"
        return
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
