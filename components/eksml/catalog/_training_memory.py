"""What training takes of a GPU's memory and time beside what the model's dimensions say."""

from functools import cache

from eksml.catalog._facts import Fact, SourcedFact, load
from eksml.catalog._inference_memory import Estimate


class Optimizer(SourcedFact):
    """Bytes for each parameter that is trained, in mixed precision."""

    weight_bytes: int
    gradient_bytes: int
    state_bytes: int
    """What the optimizer keeps, the weight in 32 bit among it."""


class QuantizedWeights(SourcedFact):
    """The frozen weights of QLoRA."""

    bits: float


class TrainingOverhead(SourcedFact):
    """What a GPU needs beside model and activations."""

    context_gib: Estimate
    """CUDA and its libraries."""
    peers_gib: Estimate
    """Buffers for what GPUs exchange, where there are several."""
    bytes_per_logit: Estimate
    """For each entry of the vocabulary and token of a step."""


class Utilization(SourcedFact, Estimate):
    """Which share of a GPU's peak trains."""


class TrainingMemory(Fact):
    """All of it."""

    optimizers: dict[str, Optimizer]
    qlora: QuantizedWeights
    overhead: TrainingOverhead
    utilization: Utilization


@cache
def training_memory() -> TrainingMemory:
    """What training takes, as published runs have it."""
    return TrainingMemory.model_validate(load("training_memory.yaml"))
