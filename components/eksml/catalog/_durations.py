"""How long resources take to be made."""

from functools import cache
from typing import Literal

from eksml.catalog._facts import Fact, SourcedFact, load


class Seconds(Fact):
    """A duration as logs have it; None: not known."""

    low: float | None
    median: float | None
    high: float | None


_NOT_KNOWN = Seconds(low=None, median=None, high=None)


class Duration(SourcedFact):
    """How long it takes to make and to destroy a resource of one type, or of one variant of it."""

    create_seconds: Seconds
    delete_seconds: Seconds = _NOT_KNOWN
    estimate_seconds: float | None = None
    """A guess for making it, where no source gives a median."""
    confidence: Literal["high", "medium", "low"]


class WholeStack(SourcedFact):
    """How long somebody's whole stack took."""

    what: str
    seconds: float


class CreateTime(Fact):
    """How long making one resource probably takes, and whether that is only a guess."""

    seconds: float
    is_estimate: bool


@cache
def durations() -> dict[str, Duration]:
    """What is known of durations, by resource type, or by type and variant: `TYPE (VARIANT)`."""
    return {name: Duration.model_validate(entry) for name, entry in load("durations.yaml")["types"].items()}


@cache
def create_time(resource_type: str, variant: str | None = None) -> CreateTime:
    """How long making a resource probably takes: its variant's figure, its type's, or a guess by its package."""
    known = durations().get(f"{resource_type} ({variant})") or durations().get(resource_type)
    if known is None:
        defaults = load("durations.yaml")["defaults"]
        package = resource_type.partition(":")[0]
        return CreateTime(seconds=defaults.get(package, defaults["other"]), is_estimate=True)
    median = known.create_seconds.median
    return CreateTime(seconds=median if median is not None else known.estimate_seconds or 0, is_estimate=median is None)


@cache
def karpenter_node() -> Duration:
    """How long Karpenter takes from a pod that needs a GPU node to the pod on it."""
    return Duration.model_validate(load("durations.yaml")["nodeOfKarpenter"])


@cache
def whole_stacks() -> tuple[WholeStack, ...]:
    """How long whole stacks of others took."""
    return tuple(WholeStack.model_validate(entry) for entry in load("durations.yaml")["wholeStacks"])
