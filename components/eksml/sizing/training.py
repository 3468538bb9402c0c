"""Whether a model can be trained on GPUs, and how long and how many nodes that takes.

For each GPU, in GiB: what CUDA shows of it = weights + gradients + optimizer + activations + overhead.
What optimizers keep, what GPUs calculate and which share of it trains is in the catalog, with sources.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from eksml.catalog import Estimate, ModelShape, Optimizer, Transformer, training_memory
from eksml.errors import InputError, listed
from eksml.sizing.inference import GpuMemory, Range
from eksml.sizing.memory import GIB

CALCULATION_BYTES = 2
"""A number in bfloat16 or float16, in which mixed precision calculates."""

SECONDS_PER_HOUR = 3600


class Method(StrEnum):
    """What of a model is trained."""

    FULL = "full"
    """All of its weights."""
    LORA = "lora"
    """Low-rank matrices beside its weights, which stay as they are in 16 bit."""
    QLORA = "qlora"
    """The same beside weights in 4 bit."""


class Sharding(StrEnum):
    """What of a model the GPUs of data parallelism divide among each other."""

    DDP = "ddp"
    """Nothing: each has all of it."""
    ZERO1 = "zero1"
    """What the optimizer keeps."""
    ZERO2 = "zero2"
    """Gradients too."""
    ZERO3 = "zero3"
    """Weights too, as FSDP does: each layer is gathered when it is its turn."""


class Checkpointing(StrEnum):
    """What of a forward pass is kept for the backward pass."""

    NONE = "none"
    """Everything."""
    FULL = "full"
    """What goes into each layer; the rest is calculated a second time."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a model is to be trained, in mixed precision."""

    gpu: GpuMemory
    gpus: int = 1
    """All GPUs together."""
    tensor_parallel: int = 1
    """GPUs that divide every matrix among each other; the others divide the data."""
    method: Method = Method.FULL
    sharding: Sharding = Sharding.ZERO3
    optimizer: str = "adamw"
    checkpointing: Checkpointing = Checkpointing.FULL
    sequence_length: int = 2048
    """Tokens of one sequence."""
    micro_batch: int = 1
    """Sequences that a GPU calculates at once."""
    flash_attention: bool = True
    """Whether attention is calculated in pieces; otherwise each head has a matrix of all tokens by all tokens."""
    lora_rank: int = 16

    def __post_init__(self) -> None:
        if problems := list(_problems(self)):
            raise InputError("\n".join(problems))

    @property
    def data_parallel(self) -> int:
        """Groups of GPUs that each have the whole model, or share it as `sharding` says."""
        return self.gpus // self.tensor_parallel

    @property
    def tokens(self) -> int:
        """Tokens that a GPU calculates at once."""
        return self.micro_batch * self.sequence_length

    @property
    def optimizer_bytes(self) -> Optimizer:
        """What the optimizer takes for each parameter."""
        return training_memory().optimizers[self.optimizer]


def _problems(training: Training) -> Iterator[str]:
    for name in ("gpus", "tensor_parallel", "sequence_length", "micro_batch", "lora_rank"):
        if getattr(training, name) < 1:
            yield f"{name}: {getattr(training, name)} given, must be at least 1"
    if training.tensor_parallel > 0 and training.gpus % training.tensor_parallel:
        yield f"gpus: {training.gpus} given, must be a multiple of tensor_parallel, {training.tensor_parallel}"
    if training.optimizer not in training_memory().optimizers:
        yield f"optimizer: {training.optimizer} is not known, {listed(training_memory().optimizers)} are"


@dataclass(frozen=True)
class TrainingFit:
    """What became of a model that is trained on GPUs. GiB are those of one GPU."""

    model: ModelShape
    training: Training

    @property
    def trained_parameters(self) -> int:
        """Parameters that are trained: all, or those of the low-rank matrices beside every matrix of the layers."""
        if self.training.method is Method.FULL:
            return self.model.parameters
        return self.training.lora_rank * _matrix_sides(self.transformer)

    @property
    def transformer(self) -> Transformer:
        """The model's dimensions."""
        if self.model.transformer is None:
            raise InputError("the model is no transformer: what training it takes is not known")
        return self.model.transformer

    @cached_property
    def weights_gib(self) -> float:
        """Weights that the GPU holds all the time, and with ZeRO 3 the two largest layers that it has gathered."""
        divided = self._divided_from(Sharding.ZERO3)
        gathered = 2 * self._layer_bytes if divided > self.training.tensor_parallel else 0
        frozen = 0 if self.training.method is Method.FULL else self._frozen_bytes / divided
        trained = self.trained_parameters * self.training.optimizer_bytes.weight_bytes / divided
        return (frozen + trained + gathered) / GIB

    @cached_property
    def gradients_gib(self) -> float:
        """Gradients of what is trained."""
        each = self.training.optimizer_bytes.gradient_bytes
        return self.trained_parameters * each / self._divided_from(Sharding.ZERO2) / GIB

    @cached_property
    def optimizer_gib(self) -> float:
        """What the optimizer keeps of what is trained."""
        each = self.training.optimizer_bytes.state_bytes
        return self.trained_parameters * each / self._divided_from(Sharding.ZERO1) / GIB

    @cached_property
    def activations_gib(self) -> float:
        """What the layers keep of a forward pass for the backward pass."""
        layer = layer_activation_bytes(self.transformer, self.training)
        if self.training.checkpointing is Checkpointing.NONE:
            return self.transformer.layers * layer / GIB
        kept = self.training.tokens * self.transformer.hidden_size * CALCULATION_BYTES
        return (self.transformer.layers * kept + layer) / GIB

    @cached_property
    def overhead_gib(self) -> Range:
        """What logits, CUDA and communication take."""
        known = training_memory().overhead
        numbers = self.training.tokens * self.transformer.vocabulary_size / self.training.tensor_parallel
        none = Estimate(low=0, expected=0, high=0)
        peers = known.peers_gib if self.training.gpus > 1 else none

        def at(end: str) -> float:
            logits = getattr(known.bytes_per_logit, end) * numbers / GIB
            return getattr(known.context_gib, end) + getattr(peers, end) + logits

        return Range(at("low"), at("expected"), at("high"))

    @property
    def states_gib(self) -> float:
        """Weights, gradients and what the optimizer keeps."""
        return self.weights_gib + self.gradients_gib + self.optimizer_gib

    @property
    def needed_gib(self) -> Range:
        """All that one GPU needs."""
        fixed = self.states_gib + self.activations_gib
        return Range(*(fixed + overhead for overhead in self.overhead_gib))

    @property
    def fits(self) -> bool:
        """Whether it fits, by the expected overhead."""
        return self.needed_gib.expected <= self.training.gpu.visible_gib

    @property
    def is_certain(self) -> bool:
        """Whether the answer is the same at both ends of the range."""
        visible = self.training.gpu.visible_gib
        return (self.needed_gib.low <= visible) == (self.needed_gib.high <= visible)

    def explain(self) -> list[str]:
        """What the answer rests on, a line each."""
        return list(_explanation(self))

    def _divided_from(self, sharding: Sharding) -> int:
        """GPUs among which something is divided that is so from a kind of sharding on."""
        is_divided = list(Sharding).index(self.training.sharding) >= list(Sharding).index(sharding)
        return self.training.tensor_parallel * (self.training.data_parallel if is_divided else 1)

    @property
    def _frozen_bytes(self) -> float:
        kept = self.model.kept_parameters
        bits = training_memory().qlora.bits if self.training.method is Method.QLORA else 16
        return kept * CALCULATION_BYTES + (self.model.parameters - kept) * bits / 8

    @property
    def _layer_bytes(self) -> float:
        inner = self.model.parameters - self.transformer.embedding_parameters
        return inner / self.transformer.layers * CALCULATION_BYTES / self.training.tensor_parallel


def fit_training(model: ModelShape, training: Training) -> TrainingFit:
    """Whether a model can be trained on GPUs, and what it takes of them.

    Raises InputError for a model that is no transformer.
    """
    fitted = TrainingFit(model, training)
    _ = fitted.transformer
    return fitted


def layer_activation_bytes(transformer: Transformer, training: Training) -> float:
    """What one layer keeps of a forward pass on each GPU, in 16 bit, without dropout.

    What goes into each matrix and product: tensor parallelism divides it, but for the hidden state. Source:
    https://arxiv.org/abs/2205.05198, section 4, with the grouped heads and the gated feed-forward part of Llama
    (https://arxiv.org/abs/2302.13971); a layer of experts keeps that of those that a token passes through.
    """
    heads, dimension = transformer.attention_heads, transformer.head_dimension
    # Into both norms, the matrices of queries, keys and values, and the feed-forward part.
    hidden = 4 * transformer.hidden_size
    attention = 2 * (heads + transformer.key_value_heads) * dimension
    if not training.flash_attention:
        # Before and after the softmax.
        attention += 2 * heads * training.sequence_length
    divided = attention + _inner_width(transformer)
    return training.tokens * (hidden + divided / training.tensor_parallel) * CALCULATION_BYTES


def _inner_width(transformer: Transformer) -> int:
    """Numbers of the feed-forward part for a token: gate, its activation, up and their product; or two without gate."""
    copies = 2 if transformer.attention.kind == "encoder" else 4
    if experts := transformer.experts:
        return copies * (experts.active + experts.shared) * experts.intermediate_size
    return copies * transformer.intermediate_size


def _matrix_sides(transformer: Transformer) -> int:
    """The sum of rows and columns of all matrices of the layers, which a pair of low-rank matrices has for each rank.

    Source: LoRA (https://arxiv.org/abs/2106.09685), beside all linear layers as in QLoRA
    (https://arxiv.org/abs/2305.14314); with experts beside attention only, as is usual.
    """
    hidden = transformer.hidden_size
    queries = transformer.attention_heads * transformer.head_dimension
    keys = transformer.key_value_heads * transformer.head_dimension
    attention = 2 * (hidden + queries) + 2 * (hidden + keys)
    matrices = 2 if transformer.attention.kind == "encoder" else 3
    inner = 0 if transformer.experts else matrices * (hidden + transformer.intermediate_size)
    return transformer.layers * (attention + inner)


def _explanation(fit: TrainingFit) -> Iterator[str]:
    training, overhead = fit.training, fit.overhead_gib
    known = "" if training.gpu.is_known else ", which is not known but taken as nine tenths"
    yield f"available: {training.gpu.visible_gib:.1f} GiB, what {training.gpu.title} shows{known}"
    yield (
        f"states: {fit.states_gib:.1f} GiB ({fit.weights_gib:.1f} weights, {fit.gradients_gib:.1f} gradients, "
        f"{fit.optimizer_gib:.1f} {training.optimizer}) for {fit.trained_parameters / 1e9:.2f} of "
        f"{fit.model.parameters / 1e9:.2f} billion parameters, {training.sharding} over {training.gpus} GPUs"
    )
    again = "kept once for each layer" if training.checkpointing is Checkpointing.FULL else "all kept"
    yield (
        f"activations: {fit.activations_gib:.1f} GiB for {training.micro_batch} × {training.sequence_length} tokens, "
        f"{again}"
    )
    yield f"overhead: {overhead.expected:.1f} GiB ({overhead.low:.1f} to {overhead.high:.1f})"


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """How long training on so many tokens takes."""

    tokens: float
    flops_per_token: float
    gpus: int
    peak_teraflops: float
    utilization: Range
    """The share of the peak that trains."""

    @property
    def hours(self) -> Range:
        """From the best utilisation to the worst."""
        low, expected, high = self.utilization
        return Range(self._hours_at(high), self._hours_at(expected), self._hours_at(low))

    @property
    def gpu_hours(self) -> Range:
        """Hours of all GPUs together."""
        return Range(*(hours * self.gpus for hours in self.hours))

    def _hours_at(self, utilization: float) -> float:
        flops_per_second = self.gpus * self.peak_teraflops * 1e12 * utilization
        return self.tokens * self.flops_per_token / flops_per_second / SECONDS_PER_HOUR


def training_run(
    model: ModelShape,
    training: Training,
    *,
    tokens: float,
    peak_teraflops: float,
    utilization: float | None = None,
) -> TrainingRun:
    """How long training a model on so many tokens takes.

    Arguments:
        model: the model.
        training: how it is trained, and on how many GPUs.
        tokens: tokens of all epochs together.
        peak_teraflops: what one GPU calculates at most, in 10**12 operations a second, without sparsity.
        utilization: the share of it that trains, as measured; None: what published runs have, as a range.

    Raises InputError for numbers that are not above zero, and for a model that is no transformer.
    """
    given = {"tokens": tokens, "peak_teraflops": peak_teraflops, "utilization": utilization}
    if problems := [
        f"{name}: {value} given, must be above 0" for name, value in given.items() if value is not None and value <= 0
    ]:
        raise InputError("\n".join(problems))
    known = training_memory().utilization
    share = (
        Range(utilization, utilization, utilization) if utilization else Range(known.low, known.expected, known.high)
    )
    return TrainingRun(
        tokens=tokens,
        flops_per_token=flops_per_token(model, training),
        gpus=training.gpus,
        peak_teraflops=peak_teraflops,
        utilization=share,
    )


def flops_per_token(model: ModelShape, training: Training) -> float:
    """Operations of a forward and a backward pass for one token, without what checkpointing calculates again.

    Six for each parameter that a token passes through, four where its weight stays as it is, and those of attention
    between tokens. Source: https://arxiv.org/abs/2001.08361, section 2.1, and https://arxiv.org/abs/2204.02311,
    appendix B, whose model FLOPS utilisation is counted so; an embedding is looked up, not calculated.
    """
    transformer = TrainingFit(model, training).transformer
    each = 6 if training.method is Method.FULL else 4
    looked_up = 0 if transformer.tied_embeddings else transformer.vocabulary_size * transformer.hidden_size
    attention = 12 * transformer.layers * transformer.attention_heads * transformer.head_dimension
    return each * (active_parameters(model) - looked_up) + attention * training.sequence_length


def active_parameters(model: ModelShape) -> int:
    """Parameters that a token passes through: of experts, those that it is sent to."""
    transformer = model.transformer
    if transformer is None or not (experts := transformer.experts):
        return model.parameters
    layers = max(0, transformer.layers - experts.dense_layers)
    idle = (experts.count - experts.active) * 3 * transformer.hidden_size * experts.intermediate_size
    return model.parameters - layers * idle
