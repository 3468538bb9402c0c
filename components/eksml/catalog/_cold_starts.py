"""How quickly model servers start: pulling images, reading weights, starting engines."""

from functools import cache
from typing import Any, Literal, TypeVar

from eksml.catalog._facts import Fact, SourcedFact, load

WeightSource = Literal["hub", "s3", "s3Streamed", "efs", "lustre", "claim", "mlflow"]
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

    rate: Rate | None
    estimate: Rate | None = None
    """A guess, where no source gives a rate."""

    @property
    def best(self) -> Rate:
        """What is known, or else the guess."""
        return _either(self.rate, self.estimate)


class EngineStart(SourcedFact):
    """How long an engine takes from its container's start to its first answer, without reading weights."""

    seconds: Span | None
    estimate: Span | None = None
    """A guess, where no source gives figures."""

    @property
    def best(self) -> Span:
        """What is known, or else the guess."""
        return _either(self.seconds, self.estimate)


_FactType = TypeVar("_FactType", bound=Fact)


def _either(known: _FactType | None, estimate: _FactType | None) -> _FactType:
    if (best := known or estimate) is None:
        raise LookupError("neither figures nor an estimate")
    return best


class ColdStartFacts(Fact):
    """All of it."""

    estimated_image_gb: dict[Literal["gpu", "cpu"], float]
    pull: ReadRate
    weights: dict[WeightSource, ReadRate]
    engines: dict[str, EngineStart]


@cache
def cold_starts() -> ColdStartFacts:
    """What is known of cold starts."""
    facts: dict[str, Any] = load("cold_starts.yaml")
    return ColdStartFacts.model_validate(facts)
