"""How long it takes to train a model: operations, the share of the peak that trains, and what nodes exchange."""

from dataclasses import dataclass

from eksml.catalog import ModelShape, RecurrentAttention, SlidingAttention, Transformer, training_memory
from eksml.errors import InputError
from eksml.given_numbers import amount_problems, count_problems
from eksml.sizing.inference import Range, check_model
from eksml.sizing.training import CALCULATION_BYTES, Checkpointing, Method, Sharding, Training, TrainingFit

_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """How long training on so many tokens takes."""

    tokens: float
    flops_per_token: float
    gpus: int
    peak_teraflops: float
    utilization: Range
    """The share of the peak that trains."""
    network_hours: float
    """What the exchange between nodes takes, while they calculate."""

    @property
    def is_bound_by_network(self) -> bool:
        """Whether nodes exchange for longer than they calculate at the expected utilisation."""
        return self.network_hours > self._hours_at(self.utilization.expected)

    @property
    def hours(self) -> Range:
        """From the best utilisation to the worst, and no less than the network takes."""
        low, expected, high = self.utilization
        return Range(*(max(self._hours_at(share), self.network_hours) for share in (high, expected, low)))

    @property
    def gpu_hours(self) -> Range:
        """Hours of all GPUs together."""
        return Range(*(hours * self.gpus for hours in self.hours))

    def explain(self) -> list[str]:
        """What the time rests on, a line each."""
        low, expected, high = self.utilization
        share = f"{expected:.0%}" if low == high else f"{expected:.0%} ({low:.0%} to {high:.0%})"
        lines = [
            f"time: {self.tokens:.3g} tokens × {self.flops_per_token / 1e9:.1f} billion operations, {share} of the "
            f"{self.peak_teraflops:g} × 10¹² a second of each of {self.gpus} GPUs"
        ]
        if self.network_hours:
            lines.append(f"network: at least {self.network_hours:,.1f} hours for what the nodes exchange")
        return lines

    def _hours_at(self, utilization: float) -> float:
        flops_per_second = self.gpus * self.peak_teraflops * 1e12 * utilization
        return self.tokens * self.flops_per_token / flops_per_second / _SECONDS_PER_HOUR


def training_run(
    model: ModelShape,
    training: Training,
    *,
    tokens: float,
    peak_teraflops: float,
    utilization: float | None = None,
    nodes: int = 1,
    network_gbps: float | None = None,
) -> TrainingRun:
    """How long training a model on so many tokens takes.

    Arguments:
        model: the model.
        training: how it is trained, and on how many GPUs.
        tokens: tokens of all epochs together.
        peak_teraflops: what one GPU calculates at most, in 10**12 operations a second, without sparsity.
        utilization: the share of it that trains, as measured; None: what published runs have, as a range.
        nodes: among how many nodes the GPUs are.
        network_gbps: the bandwidth of one node, in Gbit/s; None: not known, and left out.

    Raises InputError for what is no number above zero, for a utilisation above 1, and for a model that is no
    transformer.
    """
    check_model(model)
    given = {"tokens": tokens, "peak_teraflops": peak_teraflops}
    optional = {"utilization": utilization, "network_gbps": network_gbps}
    given |= {name: value for name, value in optional.items() if value is not None}
    problems = [text for name, value in given.items() for text in amount_problems(name, value, or_none_at_all=False)]
    problems += count_problems("nodes", nodes)
    if utilization is not None and not problems and utilization > 1:
        problems.append(f"utilization: {utilization} given, must be at most 1")
    if problems:
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
        network_hours=_network_hours(model, training, tokens, nodes, network_gbps),
    )


def _network_hours(
    model: ModelShape, training: Training, tokens: float, nodes: int, network_gbps: float | None
) -> float:
    if nodes == 1 or network_gbps is None:
        return 0
    micro_batches = tokens / (training.tokens * training.data_parallel)
    bytes_of_each = exchanged_bytes(model, training, nodes) * (nodes - 1) / nodes
    bytes_of_each += dispatched_bytes(model, training, nodes)
    return micro_batches * bytes_of_each * 8 / (network_gbps * 1e9) / _SECONDS_PER_HOUR


def exchanged_bytes(model: ModelShape, training: Training, nodes: int = 1) -> float:
    """What goes into a node, and out of it, for each micro-batch, if no other node had a part of the model.

    Gradients are summed and handed out again; ZeRO 3 hands them out as weights, which it gathers for the forward and
    for the backward pass, frozen ones too. Source: https://arxiv.org/abs/1910.02054, section 7: twice the parameters,
    and three times with ZeRO 3. Micro-batches that are accumulated share what DDP and ZeRO 1 exchange, and the handing
    out of ZeRO 2; gradients that are divided are summed after each
    (https://github.com/deepspeedai/DeepSpeed/pull/338). Of experts that GPUs divide, a node exchanges its part only,
    and nothing where nobody else has it.
    """
    fitted = TrainingFit(model, training)
    trained = fitted.trained_parameters - fitted.divided_experts
    if training.expert_parallel < training.data_parallel:
        of_node = training.gpus / nodes / training.tensor_parallel
        trained += fitted.divided_experts * min(1, of_node / training.expert_parallel)
    times = {Sharding.ZERO2: 1 + 1 / training.accumulation, Sharding.ZERO3: 3}
    exchanged = times.get(training.sharding, 2 / training.accumulation) * trained * CALCULATION_BYTES
    frozen = 0.0 if training.method is Method.FULL else fitted.frozen_bytes
    return exchanged + (2 * frozen if training.sharding is Sharding.ZERO3 else 0)


def dispatched_bytes(model: ModelShape, training: Training, nodes: int) -> float:
    """What goes out of a node for each micro-batch with the tokens that are sent to experts elsewhere, and back.

    A hidden state to and from each other node that has one of a token's experts, if all are asked as often, once
    however many it has there: in the forward and in the backward pass, and again where checkpointing calculates twice.
    Source: https://arxiv.org/abs/2006.16668 (GShard), and https://arxiv.org/abs/2412.19437, section 3.2.2.
    """
    transformer = TrainingFit(model, training).transformer
    of_node = training.gpus / nodes / training.tensor_parallel
    places = training.expert_parallel / of_node
    if not (experts := transformer.experts) or places <= 1:
        return 0
    others = (places - 1) * (1 - (1 - 1 / places) ** experts.active)
    passes = 3 if training.checkpointing is Checkpointing.FULL else 2
    hidden = transformer.hidden_size * CALCULATION_BYTES * transformer.expert_layers
    return of_node * training.tokens * others * 2 * passes * hidden


def flops_per_token(model: ModelShape, training: Training) -> float:
    """Operations of a forward and a backward pass for one token, without what checkpointing calculates again.

    Six for each parameter that a token passes through, four where its weight stays as it is, and those of attention
    between tokens, which are fewer where a layer slides. Source: https://arxiv.org/abs/2001.08361, section 2.1, and
    https://arxiv.org/abs/2204.02311, appendix B, whose model FLOPS utilisation is counted so; an embedding is looked
    up, not calculated, and tokens of text do not pass through what sees images.
    """
    transformer = TrainingFit(model, training).transformer
    each = 6 if training.method is Method.FULL else 4
    looked_up = 0 if transformer.tied_embeddings else transformer.vocabulary_size * transformer.hidden_size
    attention = 12 * transformer.attention_heads * transformer.head_dimension
    attended = _attended_tokens(transformer, training.sequence_length)
    return each * (active_parameters(model) - model.vision_parameters - looked_up) + attention * attended


def _attended_tokens(transformer: Transformer, tokens: int) -> int:
    """Tokens to which one attends, of all layers together: a sliding layer sees its window, a state none."""
    attention = transformer.attention
    if isinstance(attention, RecurrentAttention):
        return attention.full_layers * tokens
    if isinstance(attention, SlidingAttention):
        sliding = transformer.layers - attention.full_layers
        return attention.full_layers * tokens + sliding * min(tokens, attention.window)
    return transformer.layers * tokens


def active_parameters(model: ModelShape) -> int:
    """Parameters that a token passes through: of experts, those that it is sent to."""
    transformer = model.transformer
    if transformer is None or not (experts := transformer.experts):
        return model.parameters
    idle = (experts.count - experts.active) * transformer.expert_parameters
    return model.parameters - transformer.expert_layers * idle
