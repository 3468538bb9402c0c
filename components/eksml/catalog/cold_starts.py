"""How quickly model servers start: pulling images, reading weights, starting engines."""

from functools import cache
from typing import Any, Literal

from eksml.catalog._facts import Fact, SourcedFact, load

WeightSource = Literal["hub", "s3", "s3Streamed", "efs", "lustre", "claim"]
"""Where a server reads its weights from when it starts."""


class Rate(Fact):
    """MB (10^6 bytes) in a second."""

    slow: float
    usual: float
    fast: float


class Span(Fact):
    """Seconds."""

    low: float
    usual: float
    high: float


class ReadRate(SourcedFact):
    """How quickly something is fetched or read."""

    rate: Rate
    is_guess: bool = False
    """Whether the figures are ours, since no source gives any."""


class EngineStart(SourcedFact):
    """How long an engine takes from its container's start to its first answer, without reading weights."""

    seconds: Span
    is_guess: bool = False
    """Whether the figures are ours, since no source gives any."""


class ColdStartFacts(Fact):
    """All of it."""

    guessed_image_gb: dict[Literal["gpu", "cpu"], float]
    pull: ReadRate
    weights: dict[WeightSource, ReadRate]
    engines: dict[str, EngineStart]


@cache
def cold_starts() -> ColdStartFacts:
    """What is known of cold starts."""
    facts: dict[str, Any] = load("cold_starts.yaml")
    return ColdStartFacts.model_validate(facts)
