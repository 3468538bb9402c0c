"""What inference engines take of a GPU's memory, and how many bits the numbers of a model have."""

from functools import cache

from eksml.catalog._facts import Fact, SourcedFact, load


class Precision(SourcedFact):
    """What a number is stored in."""

    bits: int
    scale_bits: float = 0
    """The scales that quantisation adds, per weight."""
    quantized: bool = False
    pad_hidden: int = 1
    """What the kernels round the hidden size of experts up to a multiple of."""
    pad_intermediate: int = 1
    """The same of their intermediate size, on each GPU."""
    cache: bool = False
    """Whether keys and values can be cached in it."""


class Estimate(Fact):
    """A figure with its range."""

    low: float
    expected: float
    high: float


class EngineLimits(Fact):
    """How much an engine works on at once when nobody says."""

    max_num_batched_tokens: int | None
    """Tokens of one step; None: those of all requests."""
    max_num_seqs: int | None
    """Requests of one step; None: as many as there are."""


class InferenceEngine(SourcedFact):
    """What one engine takes of a GPU beside weights and cache, in GiB."""

    default_precision: str | None
    """What it holds weights in when nobody says, whatever they are published in; None: as they are published."""
    shares_gpus: bool
    """Whether it divides a model among several GPUs, as the servers of a stack run it."""
    gpu_memory_utilization: float
    """The share of the GPU's visible memory that it may take by default."""
    block_tokens: int
    """Tokens of one block of its cache."""
    concurrent_steps: int
    """How many steps it has under way at once, whose tokens a sliding layer keeps beside its window."""
    states: int
    """How many states it keeps for a request in a layer that has them instead of keys and values."""
    limits: EngineLimits
    large_gpu_limits: EngineLimits
    large_gpu_gib: float
    """The memory from which a GPU counts as large."""
    not_large: tuple[str, ...]
    """GPUs that do not count as large whatever their memory."""
    context_gib: Estimate
    """CUDA and its libraries."""
    peer_gib: Estimate
    """Communication, for each further GPU of the group up to eight."""
    cuda_graphs_gib: Estimate
    bytes_per_logit: int
    """What sampling takes for each entry of the vocabulary and request."""


@cache
def precisions() -> dict[str, Precision]:
    """Every precision of the catalog, by name."""
    entries = load("inference_memory.yaml")["precisions"]
    return {name: Precision.model_validate(entry) for name, entry in entries.items()}


@cache
def inference_engines() -> dict[str, InferenceEngine]:
    """Every engine whose memory is known, by name."""
    entries = load("inference_memory.yaml")["engines"]
    return {name: InferenceEngine.model_validate(entry) for name, entry in entries.items()}
