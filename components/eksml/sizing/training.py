"""Whether a model can be trained on GPUs.

For each GPU, in GiB: what CUDA shows of it = weights + gradients + optimizer + activations + overhead.
What optimizers keep, and what else takes memory, is in the catalog, with sources.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from eksml.catalog import (
    Estimate,
    ModelShape,
    Optimizer,
    Transformer,
    training_memory,
)
from eksml.errors import InputError, listed
from eksml.given_numbers import count_problems
from eksml.sizing.inference import GpuMemory, Range, check_model, gpu_problems
from eksml.sizing.memory import GIB

CALCULATION_BYTES = 2
"""A number in bfloat16 or float16, in which mixed precision calculates."""

DEFAULT_LORA_RANK = 16


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
    expert_parallel: int = 1
    """GPUs of those that divide the data among which the experts of a layer are divided; tokens go to them."""
    method: Method = Method.FULL
    sharding: Sharding = Sharding.ZERO3
    optimizer: str = "adamw"
    checkpointing: Checkpointing = Checkpointing.FULL
    sequence_length: int = 2048
    """Tokens of one sequence."""
    micro_batch: int = 1
    """Sequences that a GPU calculates at once."""
    accumulation: int = 1
    """Micro-batches of a step of the optimizer, after which GPUs exchange what they need not before."""
    flash_attention: bool = True
    """Whether attention is calculated in pieces; otherwise each head has a matrix of all tokens by all tokens."""
    lora_rank: int | None = None
    """The rank of the low-rank matrices; None: 16."""

    def __post_init__(self) -> None:
        if problems := list(_problems(self)):
            raise InputError("\n".join(problems))
        for name, words in _WORDS.items():
            # A word is taken for its member, which is what is compared with.
            object.__setattr__(self, name, words(getattr(self, name)))

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


_PARALLEL = ("tensor_parallel", "expert_parallel")

_WORDS: dict[str, type[StrEnum]] = {"method": Method, "sharding": Sharding, "checkpointing": Checkpointing}


def _problems(training: Training) -> Iterator[str]:
    yield from gpu_problems(training.gpu)
    for name in ("gpus", *_PARALLEL, "sequence_length", "micro_batch", "accumulation", "lora_rank"):
        yield from _of_count(training, name)
    for name, words in _WORDS.items():
        if (value := getattr(training, name)) not in [*words]:
            yield f"{name}: {value} is not known, {listed(words)} are"
    if training.lora_rank is not None and training.method == Method.FULL:
        yield f"lora_rank: {training.lora_rank} given, only lora and qlora have matrices of a rank"
    if training.accumulation != 1 and training.sharding == Sharding.ZERO3:
        yield f"accumulation: {training.accumulation} given, with zero3 GPUs exchange as much after each micro-batch"
    if training.expert_parallel != 1 and training.method != Method.FULL:
        yield f"expert_parallel: {training.expert_parallel} given, of {training.method} it is not worked out here"
    is_strange = any(_of_count(training, name) for name in ("gpus", *_PARALLEL))
    groups = 1 if is_strange else training.tensor_parallel * training.expert_parallel
    if not is_strange and training.gpus % groups:
        names = "tensor_parallel" if training.expert_parallel == 1 else "tensor_parallel × expert_parallel"
        yield f"gpus: {training.gpus} given, must be a multiple of {names}, {groups}"
    if not isinstance(training.flash_attention, bool):
        yield f"flash_attention: {training.flash_attention!r} given, must be True or False"
    if training.optimizer not in list(training_memory().optimizers):
        yield f"optimizer: {training.optimizer} is not known, {listed(training_memory().optimizers)} are"


def _of_count(training: Training, name: str) -> list[str]:
    value = getattr(training, name)
    return [] if name == "lora_rank" and value is None else list(count_problems(name, value))


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
        return (self.training.lora_rank or DEFAULT_LORA_RANK) * _matrix_sides(self.transformer)

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
        frozen = 0 if self.training.method is Method.FULL else self.frozen_bytes / divided
        trained = self._trained_from(Sharding.ZERO3) * self.training.optimizer_bytes.weight_bytes
        return (frozen + trained + gathered) / GIB

    @cached_property
    def gradients_gib(self) -> float:
        """Gradients of what is trained."""
        each = self.training.optimizer_bytes.gradient_bytes
        return self._trained_from(Sharding.ZERO2) * each / GIB

    @cached_property
    def optimizer_gib(self) -> float:
        """What the optimizer keeps of what is trained."""
        each = self.training.optimizer_bytes.state_bytes
        return self._trained_from(Sharding.ZERO1) * each / GIB

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

    def _trained_from(self, sharding: Sharding) -> float:
        """What is trained of which a GPU has its part: of experts that are divided a smaller one."""
        divided = self._divided_from(sharding)
        experts_divided = max(divided, self.training.tensor_parallel * self.training.expert_parallel)
        experts = self.divided_experts
        return (self.trained_parameters - experts) / divided + experts / experts_divided

    @property
    def divided_experts(self) -> int:
        """The parameters of experts that GPUs divide among each other, whole experts each."""
        return routed_parameters(self.transformer) if self.training.expert_parallel > 1 else 0

    @property
    def frozen_bytes(self) -> float:
        """What the weights take that are not trained, where others are trained beside them."""
        kept = self.model.kept_parameters
        bits = training_memory().qlora.bits if self.training.method is Method.QLORA else 16
        return kept * CALCULATION_BYTES + (self.model.parameters - kept) * bits / 8

    @property
    def _layer_bytes(self) -> float:
        inner = self.model.parameters - self.model.vision_parameters - self.transformer.embedding_parameters
        at_home = self.divided_experts * (1 - 1 / self.training.expert_parallel)
        return (inner - at_home) / self.transformer.layers * CALCULATION_BYTES / self.training.tensor_parallel


def fit_training(model: ModelShape, training: Training) -> TrainingFit:
    """Whether a model can be trained on GPUs, and what it takes of them.

    Raises InputError for a model that is no transformer, or whose heads or experts are not divided by the parallelism.
    """
    check_model(model)
    fitted = TrainingFit(model, training)
    experts = fitted.transformer.experts.count if fitted.transformer.experts else 0
    if training.expert_parallel > 1 and (not experts or experts % training.expert_parallel):
        what = f"it does not divide the {experts} experts" if experts else "the model has no experts"
        raise InputError(f"expert_parallel: {training.expert_parallel} given, {what}")
    if (heads := fitted.transformer.attention_heads) % training.tensor_parallel:
        raise InputError(
            f"tensor_parallel: {training.tensor_parallel} given, it does not divide the {heads} attention heads"
        )
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
    copies = 2 * (transformer.feed_forward_matrices - 1)
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
    inner = 0 if transformer.experts else transformer.feed_forward_matrices * (hidden + transformer.intermediate_size)
    return transformer.layers * (attention + inner)


def routed_parameters(transformer: Transformer) -> int:
    """The parameters of the experts to which tokens are sent, of all layers."""
    experts = transformer.experts
    return transformer.expert_layers * experts.count * transformer.expert_parameters if experts else 0


def _explanation(fit: TrainingFit) -> Iterator[str]:
    training, overhead = fit.training, fit.overhead_gib
    known = "" if training.gpu.is_known else ", which is not known but taken as nine tenths"
    yield f"available: {training.gpu.visible_gib:.1f} GiB, what {training.gpu.title} shows{known}"
    experts = f", experts divided by {training.expert_parallel}" if fit.divided_experts else ""
    yield (
        f"states: {fit.states_gib:.1f} GiB ({fit.weights_gib:.1f} weights, {fit.gradients_gib:.1f} gradients, "
        f"{fit.optimizer_gib:.1f} {training.optimizer}) for {fit.trained_parameters / 1e9:.2f} of "
        f"{fit.model.parameters / 1e9:.2f} billion parameters, {training.sharding} over {training.gpus} GPUs{experts}"
    )
    again = "kept once for each layer" if training.checkpointing is Checkpointing.FULL else "all kept"
    yield (
        f"activations: {fit.activations_gib:.1f} GiB for {training.micro_batch} × {training.sequence_length} tokens, "
        f"{again}"
    )
    yield f"overhead: {overhead.expected:.1f} GiB ({overhead.low:.1f} to {overhead.high:.1f})"
