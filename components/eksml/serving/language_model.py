"""What all servers of language models have in common: precision, context, batches, and the memory that they need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Literal

from pydantic import Field

from eksml.catalog import models
from eksml.errors import Problem
from eksml.serving.model_source import MlflowSource, ModelSource
from eksml.serving.server import ServerSpec
from eksml.sizing.advice import problem
from eksml.sizing.inference import GpuMemory, Serving, fit, gpu_memory
from eksml.spec import Spec, pattern

ServedName = Annotated[str, pattern(r"^[A-Za-z0-9][A-Za-z0-9_./:-]{0,199}$", "a name of letters, digits and _./:-")]
Precision = Literal["auto", "bfloat16", "float16", "float32"]


class TokenBatching(Spec):
    """How many requests and tokens a server works on at once; more is more throughput, memory and latency."""

    max_requests: Annotated[int, Field(strict=True, ge=1, le=65_536)] | None = None
    """Requests at once; none given: the engine's default."""
    max_tokens: Annotated[int, Field(strict=True, ge=1, le=1_048_576)] | None = None
    """Tokens in one step; none given: the engine's default."""


class LanguageModelSpec(ServerSpec):
    """The fields of every server of a language model."""

    source: ModelSource
    """Where the weights come from: the hub, a bucket, a claim, or a registry."""
    precision: Precision = "auto"
    """What the weights are held in: bfloat16, float16 or float32; auto: as they were published."""
    context_length: Annotated[int, Field(strict=True, ge=1, le=100_000_000)] | None = None
    """Tokens of one request and its answer; none given: what the model was made for."""
    batching: TokenBatching = Field(default_factory=TokenBatching)
    """How many requests and tokens it works on at once."""
    served_name: ServedName | None = None
    """The name by which clients ask for the model; by default that of the server."""

    def rules(self) -> Iterator[Problem]:
        """The model fits on the GPUs."""
        yield from super().rules()
        yield from memory_problems(self, self.serving)

    def serving(self, gpu: GpuMemory) -> Serving:
        """How the model is served on a GPU, for the calculation of its memory."""
        raise NotImplementedError

    def model_name(self, server: str) -> str:
        """The name by which clients ask for the model."""
        return self.served_name or server


def memory_problems(spec: ServerSpec, serving: Callable[[GpuMemory], Serving]) -> Iterator[Problem]:
    """Why the model does not fit on the GPUs, or without any into the memory of the pod, as far as both are known.

    Arguments:
        spec: the server.
        serving: how it serves the model on a GPU.
    """
    model = models().get(spec.source.hub_model or "")
    if model is None:
        return
    if not spec.gpus_per_node:
        if spec.weights_gib and spec.weights_gib > spec.memory_gib:
            text = (
                f"{spec.memory_gib} GiB, but the weights of {spec.source.hub_model} alone take {spec.weights_gib:.1f}"
            )
            yield Problem(("memoryGibPerNode",), text)
        return
    problems = [problem(fit(model, serving(gpu_memory(fact.gpu)))) for fact in spec.types.values() if fact.gpu]
    if problems and all(problems):
        field = "hubModel" if isinstance(spec.source, MlflowSource) else "model"
        yield Problem(("source", field), f"{spec.source.hub_model} {problems[0]}")
