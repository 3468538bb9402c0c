"""How the model of a platform is served, and on which instance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import inf
from typing import NamedTuple

from eksml.advisor.inference import recommend_inference_tool
from eksml.advisor.ranking import Ranking
from eksml.advisor.requirements import InferenceRequirements, ModelFramework, ModelType, ProfileAnswers, TeamProfile
from eksml.advisor.what_fits import what_fits
from eksml.catalog import ModelShape, inference_engines, precisions
from eksml.errors import Problem, SpecError
from eksml.sizing import GpuMemory, Serving, ServingInstance, fit, serving_instances, shape_of

# The share of a GPU that a server of a stack takes where its settings do not say, if it is not the engine's own. A test
# compares with the Specs of the servers.
_UTILIZATION = {"vllm": 0.9}


class Served(NamedTuple):
    """What serves the model, and where."""

    ranking: Ranking
    engine: str
    instance: ServingInstance
    surely: ServingInstance | None
    """The cheapest that holds it whatever the overhead turns out to be; None: none does."""

    @property
    def gpus(self) -> int:
        """GPUs that share the model."""
        return self.instance.fitted.serving.tensor_parallel

    @property
    def sure_requests(self) -> int:
        """How many of the requests it holds whatever the overhead turns out to be."""
        fitted = self.instance.fitted
        for requests in range(fitted.serving.concurrency, 0, -1):
            fewer = fit(fitted.model, replace(fitted.serving, concurrency=requests))
            if fewer.fits and fewer.is_certain:
                return requests
        return 0

    @property
    def precision(self) -> str | None:
        """What the weights are held in, where that must be said; None: as the engine does it by itself.

        KServe's server would make float16 of bfloat16, in which Gemma 3 answers nothing. Source:
        https://github.com/huggingface/transformers/issues/36822
        """
        precision = self.instance.fitted.serving.precision
        return precision if precision == "bfloat16" else None

    @property
    def requests_by_vllm(self) -> int | None:
        """How many requests vLLM would hold on the same GPUs, where that is more than the engine does."""
        fitted = self.instance.fitted
        same_gpus = _serving("vllm", fitted.model, fitted.context_length, fitted.serving.concurrency)
        same_gpus = replace(same_gpus, gpu=fitted.serving.gpu, tensor_parallel=self.gpus)
        by_vllm = fit(fitted.model, same_gpus).largest_concurrency
        return by_vllm if (by_vllm or 0) > (fitted.largest_concurrency or 0) else None


def served_by(asked: ProfileAnswers, profile: TeamProfile, regions: Iterable[str] = ()) -> Served:
    """The first engine, and the cheapest instance, that hold the model.

    Arguments:
        asked: the answers.
        profile: the profile of the platform.
        regions: where it could be as well.

    Raises SpecError where no instance holds the model, with what would fit.
    """
    ranking = recommend_inference_tool(
        InferenceRequirements(framework=ModelFramework.PYTORCH, model_type=ModelType.LLM, team=profile)
    )
    if served := _found(asked, ranking):
        return served
    model = shape_of(asked.model or "")
    by_vllm = _serving("vllm", model, asked.context_length, asked.requests)
    others = what_fits(asked, lambda other: _found(other, ranking) is not None, model, by_vllm, regions)
    requests = f"{asked.requests} request{'s' if asked.requests > 1 else ''} of {asked.context_length} tokens"
    raise SpecError(
        [Problem(("model",), f"{asked.model} fits on no instance of {asked.region} with {requests}: {others}")]
    )


def _found(asked: ProfileAnswers, ranking: Ranking) -> Served | None:
    """The first engine that holds the model, on the cheapest instance; None: none does."""
    model = shape_of(asked.model or "")
    for engine in (name for name, _ in ranking if _serves(name, model)):
        serving = _serving(engine, model, asked.context_length, asked.requests)
        found = _on_one_node(model, serving, asked.region)
        if found and not _is_cheaper_divided(found[0], model, asked):
            return Served(ranking, engine, found[0], next((each for each in found if each.fitted.is_certain), None))
    return None


def _on_one_node(model: ModelShape, serving: Serving, region: str) -> list[ServingInstance]:
    """The instances that hold a model alone: a platform of the advisor has no server over several nodes."""
    return [each for each in serving_instances(model, serving, region) if each.nodes == 1]


def _is_cheaper_divided(instance: ServingInstance, model: ModelShape, asked: ProfileAnswers) -> bool:
    """Whether an engine that divides a model among GPUs needs several smaller ones, which cost less."""
    if instance.fitted.serving.engine.shares_gpus:
        return False
    divided = _on_one_node(model, _serving("vllm", model, asked.context_length, asked.requests), asked.region)
    prices = divided[0].usd_per_hour if divided else None, instance.usd_per_hour
    takes_several = bool(divided) and divided[0].fitted.serving.tensor_parallel > 1
    return takes_several and (prices[0] or inf) < (prices[1] or inf)


def _serving(engine: str, model: ModelShape, context_length: int, requests: int) -> Serving:
    """How an engine holds so many requests, on a GPU that is still to be found."""
    return Serving(
        gpu=GpuMemory("any GPU", 0.0),
        precision=_precision(model) if engine == "transformers" else None,
        context_length=context_length,
        concurrency=requests,
        engine=inference_engines()[engine],
        gpu_memory_utilization=_UTILIZATION.get(engine),
    )


def _serves(engine: str, model: ModelShape) -> bool:
    """Whether an engine is one that is sized here, and leaves a quantised model so."""
    if engine not in inference_engines():
        return False
    return not (inference_engines()[engine].default_precision and precisions()[model.precision].quantized)


def _precision(model: ModelShape) -> str | None:
    """What Transformers is told to hold a model in: bfloat16, of which it would make float16; None: nothing."""
    return model.precision if model.precision == "bfloat16" else None
