"""Whether a model fits on GPUs to be served, and how many tokens, requests and how long a context it leaves room for.

For each GPU, in GiB: what CUDA shows of it × the share that the engine may take = weights + overhead + cache.
Each part has its formula and source in eksml.sizing.memory; what engines and GPUs take and show is in the catalog.
"""

import reprlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from math import inf
from typing import NamedTuple

from eksml.catalog import (
    EngineLimits,
    Estimate,
    Gpu,
    InferenceEngine,
    ModelShape,
    gpus,
    inference_engines,
    instance_types,
    precisions,
)
from eksml.errors import InputError, listed
from eksml.given_numbers import count_problems
from eksml.sizing import memory
from eksml.sizing.memory import GIB

UNKNOWN_SHARE = 0.9
"""What is counted on of a GPU whose visible memory is not known: those that are known show 91 to 99 per cent."""

BFLOAT16_CAPABILITY = 8.0
"""The compute capability from which a GPU calculates in bfloat16, as published models are."""

ACTIVATION_RANGE = 0.25
"""How far the profiling runs in tests/sizing are from the formula for activations."""

ONE_STEP = 8
"""GPUs beyond which one more adds nothing to the overhead: communication goes from node to node then."""


class GpuMemory(NamedTuple):
    """The memory of one GPU as a program sees it."""

    title: str
    visible_gib: float
    is_known: bool = True
    """Whether a source says how much it shows; else it is a share of the memory on paper."""


def gpu_memory(gpu: Gpu) -> GpuMemory:
    """What CUDA shows of a GPU of an EC2 instance type, less than its name says."""
    title = f"{gpu.model} ({gpu.memory_gib:g} GiB)"
    visible = gpus()[gpu.model].visible_gib.get(round(gpu.memory_gib)) if gpu.fraction is None else None
    return GpuMemory(title, visible or gpu.memory_gib * UNKNOWN_SHARE, visible is not None)


@cache
def known_gpus() -> tuple[GpuMemory, ...]:
    """The whole GPUs of EC2 that calculate in bfloat16 and whose visible memory is known, the smallest first."""
    offered = {
        gpu_memory(each.gpu)
        for each in instance_types().values()
        if each.gpu and float(gpus()[each.gpu.model].compute_capability) >= BFLOAT16_CAPABILITY
    }
    return tuple(sorted((gpu for gpu in offered if gpu.is_known), key=lambda gpu: (gpu.visible_gib, gpu.title)))


def groups_of(gpus: int, engine: InferenceEngine) -> list[int]:
    """How many of a node's GPUs can share a model."""
    return [count for count in (1, 2, 4, 8) if count <= gpus and (count == 1 or engine.shares_gpus)]


@dataclass(frozen=True, kw_only=True)
class Serving:
    """How a model is to be served. What is None is as the model is published, or as the engine has it."""

    gpu: GpuMemory
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    precision: str | None = None
    kv_precision: str | None = None
    """What keys and values are cached in; None: the precision of the calculation, 16 bit for quantised weights."""
    context_length: int | None = None
    """Tokens of one request, prompt and answer together; None: as many as the model takes."""
    concurrency: int = 1
    """Requests of that length that are to be held at once. An engine with fewer places lets the others wait."""
    engine: InferenceEngine = field(default_factory=lambda: inference_engines()["vllm"])
    gpu_memory_utilization: float | None = None
    """The share of the GPU's visible memory that the engine may take."""
    max_num_batched_tokens: int | None = None
    """Tokens of one step, of all requests together."""
    max_num_seqs: int | None = None
    """Requests of one step."""

    def __post_init__(self) -> None:
        if problems := list(_problems(self)):
            raise InputError("\n".join(problems))


def _problems(serving: Serving) -> Iterator[str]:
    yield from gpu_problems(serving.gpu)
    if not isinstance(serving.engine, InferenceEngine):
        yield f"engine: {serving.engine!r} given, must be one of inference_engines()"
    for name in ("tensor_parallel", "pipeline_parallel", "concurrency"):
        yield from count_problems(name, getattr(serving, name))
    for name in ("context_length", "max_num_batched_tokens", "max_num_seqs"):
        if (value := getattr(serving, name)) is not None:
            yield from count_problems(name, value)
    share = serving.gpu_memory_utilization
    if share is not None and (isinstance(share, bool) or not isinstance(share, int | float)):
        yield f"gpu_memory_utilization: {share!r} given, must be a number, such as 0.9"
    elif share is not None and not 0 < share <= 1:
        yield f"gpu_memory_utilization: {share} given, must be above 0 and at most 1"
    cached = [name for name, precision in precisions().items() if precision.cache]
    for name, value, known in (
        ("precision", serving.precision, list(precisions())),
        ("kv_precision", serving.kv_precision, cached),
    ):
        if value is not None and value not in known:
            yield f"{name}: {value} is not known, {listed(known)} are"


def gpu_problems(gpu: object) -> Iterator[str]:
    """What is wrong with a GPU, of which 0 GiB stand for one that is still to be found."""
    if not isinstance(gpu, GpuMemory):
        yield f"gpu: {gpu!r} given, must be a GpuMemory, such as one of known_gpus()"
    elif isinstance(gpu.visible_gib, bool) or not isinstance(gpu.visible_gib, int | float):
        yield f"gpu.visible_gib: {gpu.visible_gib!r} given, must be a number"
    elif not 0 <= gpu.visible_gib < inf:
        yield f"gpu.visible_gib: {gpu.visible_gib} given, must be at least 0, and finite"


class Range(NamedTuple):
    """A figure with what it may be at least and at most."""

    low: float
    expected: float
    high: float


@dataclass(frozen=True)
class Fit:
    """What became of a model on GPUs. GiB are those of one GPU."""

    model: ModelShape
    serving: Serving

    @property
    def context_length(self) -> int:
        """Tokens of one request."""
        most = self.model.transformer.context_length if self.model.transformer else 1
        return self.serving.context_length or most

    @property
    def precision(self) -> str:
        """What the weights are held in."""
        return self.serving.precision or self.serving.engine.default_precision or self.model.precision

    @property
    def available_gib(self) -> float:
        """What the engine may take of the GPU."""
        return self.serving.gpu.visible_gib * self.gpu_memory_utilization

    @property
    def gpu_memory_utilization(self) -> float:
        """The share of the GPU that the engine may take."""
        return self.serving.gpu_memory_utilization or self.serving.engine.gpu_memory_utilization

    @property
    def max_num_batched_tokens(self) -> int:
        """Tokens that the engine calculates in one step."""
        default = self._limits.max_num_batched_tokens or self.serving.concurrency * self.context_length
        return self.serving.max_num_batched_tokens or default

    @property
    def max_num_seqs(self) -> int:
        """Requests that the engine calculates in one step."""
        return self.serving.max_num_seqs or self._limits.max_num_seqs or self.serving.concurrency

    @cached_property
    def weights_gib(self) -> float:
        """What the weights take of the fullest GPU."""
        serving = self.serving
        per_gpu = memory.weights_bytes_per_gpu(
            self.model, self.precision, serving.tensor_parallel, serving.pipeline_parallel
        )
        return per_gpu / GIB

    @cached_property
    def overhead_gib(self) -> Range:
        """What calculating, CUDA, its graphs and communication take beside weights and cache."""
        engine = self.serving.engine
        peers = min(self.serving.tensor_parallel * self.serving.pipeline_parallel, ONE_STEP) - 1

        def fixed(end: str) -> float:
            parts: tuple[Estimate, ...] = (engine.context_gib, engine.cuda_graphs_gib)
            return sum(getattr(part, end) for part in parts) + peers * getattr(engine.peer_gib, end)

        return Range(
            fixed("low") + self.activations_gib * (1 - ACTIVATION_RANGE),
            fixed("expected") + self.activations_gib,
            fixed("high") + self.activations_gib * (1 + ACTIVATION_RANGE),
        )

    @cached_property
    def activations_gib(self) -> float:
        """What one step takes at its peak: the layers, or sampling if that is more."""
        transformer = self.model.transformer
        if transformer is None:
            return (self.model.activation_mib or 0) / 1024 * self.serving.concurrency
        layers = memory.activation_bytes(
            transformer,
            self.max_num_batched_tokens,
            tensor_parallel=self.serving.tensor_parallel,
            bytes_per_number=self._calculation_bits / 8,
        )
        if transformer.attention.kind == "encoder":
            return layers / GIB
        sampling = memory.sampling_bytes(transformer, self.max_num_seqs, self.serving.engine.bytes_per_logit)
        return max(layers, sampling) / GIB

    @property
    def kv_cache_gib(self) -> float:
        """What the requests that are wanted take in the cache."""
        return self.serving.concurrency * self._request_gib(self.context_length)

    @property
    def kv_pool_gib(self) -> Range:
        """What is left for the cache."""
        left = self.available_gib - self.weights_gib
        return Range(*(max(0.0, left - overhead) for overhead in reversed(self.overhead_gib)))

    @property
    def kv_tokens(self) -> Range | None:
        """Tokens that the cache holds, in requests of this length; None: the model caches nothing."""
        if not (request := self._request_gib(self.context_length)):
            return None
        return Range(*(float(int(pool / request * self.context_length)) for pool in self.kv_pool_gib))

    @property
    def largest_concurrency(self) -> int | None:
        """How many requests of this length the cache holds; None: the model caches nothing."""
        request = self._request_gib(self.context_length)
        return int(self.kv_pool_gib.expected / request) if request else None

    @property
    def largest_context(self) -> int | None:
        """The longest context at this concurrency, at most the model's own; None: the model caches nothing."""
        transformer = self.model.transformer
        if transformer is None or not self._request_gib(1):
            return None
        low, high = 0, transformer.context_length
        while low < high:
            middle = (low + high + 1) // 2
            enough = self.serving.concurrency * self._request_gib(middle) <= self.kv_pool_gib.expected
            low, high = (middle, high) if enough else (low, middle - 1)
        return low

    @property
    def fits(self) -> bool:
        """Whether it fits, by the expected overhead."""
        return self._fits_with(self.overhead_gib.expected)

    @property
    def is_certain(self) -> bool:
        """Whether the answer is the same at both ends of the range."""
        return self._fits_with(self.overhead_gib.low) == self._fits_with(self.overhead_gib.high)

    @property
    def spare_gib(self) -> float:
        """What weights and cache leave of each GPU: it fits as long as the overhead is no more."""
        return self.available_gib - self.weights_gib - self.kv_cache_gib

    @property
    def is_divisible(self) -> bool:
        """Whether tensor parallelism can divide the attention heads, and divide or replicate those of the cache."""
        return self.undivided_heads is None

    @property
    def undivided_heads(self) -> int | None:
        """The number of heads that tensor parallelism can neither divide nor replicate; None: it can.

        Source: QKVParallelLinear in vllm/model_executor/layers/linear.py.
        """
        transformer, gpus = self.model.transformer, self.serving.tensor_parallel
        if transformer is None:
            return None
        if transformer.attention_heads % gpus:
            return transformer.attention_heads
        cached = transformer.key_value_heads
        is_shared = transformer.attention.kind == "mla"
        return None if is_shared or cached % gpus == 0 or gpus % cached == 0 else cached

    def explain(self) -> list[str]:
        """What the answer rests on, a line each."""
        return list(_explanation(self))

    def _fits_with(self, overhead_gib: float) -> bool:
        return self.is_divisible and self.weights_gib + overhead_gib + self.kv_cache_gib <= self.available_gib

    def _request_gib(self, tokens: int) -> float:
        if self.model.transformer is None:
            return 0
        request = memory.request_cache_bytes(
            self.model.transformer,
            tokens,
            tensor_parallel=self.serving.tensor_parallel,
            pipeline_parallel=self.serving.pipeline_parallel,
            bits=precisions()[self.serving.kv_precision].bits if self.serving.kv_precision else self._calculation_bits,
            engine=self.serving.engine,
            max_num_batched_tokens=self.max_num_batched_tokens,
        )
        return request / GIB

    @property
    def _calculation_bits(self) -> int:
        return max(16, precisions()[self.precision].bits)

    @property
    def _limits(self) -> EngineLimits:
        engine, gpu = self.serving.engine, self.serving.gpu
        is_large = gpu.visible_gib >= engine.large_gpu_gib and not gpu.title.startswith(engine.not_large)
        return engine.large_gpu_limits if is_large else engine.limits


def check_model(model: object) -> None:
    """Raises InputError for what is no shape of a model."""
    if not isinstance(model, ModelShape):
        wanted = "a ModelShape, such as shape_of('Qwen/Qwen2.5-7B-Instruct')"
        raise InputError(f"model: {reprlib.repr(model)} given, must be {wanted}")


def fit(model: ModelShape, serving: Serving) -> Fit:
    """Whether a model fits on GPUs, and what it leaves room for. Raises InputError for what is no shape of a model."""
    check_model(model)
    return Fit(model, serving)


def _explanation(fit: Fit) -> Iterator[str]:
    serving, overhead = fit.serving, fit.overhead_gib
    known = "" if serving.gpu.is_known else ", which is not known but taken as nine tenths"
    count = serving.tensor_parallel * serving.pipeline_parallel
    gpus = "one GPU" if count == 1 else f"{count} GPUs"
    yield (
        f"available: {fit.available_gib:.1f} GiB of each GPU, {fit.gpu_memory_utilization:g} of the "
        f"{serving.gpu.visible_gib:.1f} GiB that {serving.gpu.title} shows{known}"
    )
    seeing = fit.model.vision_parameters / 1e9
    yield (
        f"weights: {fit.weights_gib:.1f} GiB, {fit.model.parameters / 1e9:.2f} billion parameters in "
        f"{fit.precision} on {gpus}" + (f"; {seeing:.2f} billion of them see images" if seeing else "")
    )
    yield (
        f"overhead: {overhead.expected:.1f} GiB ({overhead.low:.1f} to {overhead.high:.1f}), of which "
        f"{fit.activations_gib:.1f} for steps of {fit.max_num_batched_tokens} tokens and {fit.max_num_seqs} requests"
    )
    if (tokens := fit.kv_tokens) is None:
        yield "cache: none, the model keeps nothing from token to token"
        return
    yield (
        f"cache: {fit.kv_cache_gib:.2f} GiB for {serving.concurrency} × {fit.context_length} tokens; there is room for "
        f"{tokens.expected:.0f} tokens ({tokens.low:.0f} to {tokens.high:.0f})"
    )
