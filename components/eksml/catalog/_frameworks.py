"""Machine-learning frameworks: their images, their launchers, and the environment that suits the hardware."""

from collections.abc import Mapping
from datetime import date
from functools import cache
from statistics import median

from eksml.catalog._facts import Fact, SourcedFact, load


class Variable(Fact):
    """An environment variable with the reason for its value."""

    name: str
    value: str
    """What it is set to; names in braces are filled in."""
    reason: str
    source: str
    needs_gpu: bool = False
    """Whether it means something only in a pod with GPUs."""
    needs_efa: bool = False
    """Whether it means something only in a pod with EFA."""

    def text(self, known: Mapping[str, str]) -> str | None:
        """Its value for one job; None where a part of it is not known."""
        try:
            return self.value.format_map(known)
        except KeyError:
            return None


class PodSize(Fact):
    """What a pod of some size asks for."""

    gpus: int
    cpus: int
    memory_gib: int


class Framework(Fact):
    """One framework."""

    title: str
    image: str | None
    """The image's name in the catalog, for jobs that name none; None: each job brings its own."""
    launchers: tuple[str, ...]
    environment: tuple[Variable, ...]
    pod_sizes: dict[str, PodSize]
    """Sizes to begin with, by name."""
    note: str | None = None
    date: date


class TrainingSteps(SourcedFact):
    """How long a training step of the same model takes with each framework, as somebody measured it."""

    milliseconds: dict[str, dict[str, float]]
    """By model and framework."""

    def times(self, framework: str, reference: str) -> dict[str, float]:
        """By model: how many times as long as with another framework it takes."""
        return {model: measured[framework] / measured[reference] for model, measured in self.milliseconds.items()}

    def usual_times(self, reference: str) -> dict[str, float]:
        """By framework: the median of that."""
        measured = next(iter(self.milliseconds.values()))
        return {name: round(median(self.times(name, reference).values()), 2) for name in measured}


@cache
def training_steps() -> TrainingSteps:
    """What is measured of how fast frameworks train."""
    return TrainingSteps.model_validate(load("frameworks.yaml")["trainingSteps"])


@cache
def frameworks() -> dict[str, Framework]:
    """Every framework of the catalog, by name."""
    return {name: Framework.model_validate(entry) for name, entry in load("frameworks.yaml")["frameworks"].items()}


@cache
def collectives() -> tuple[Variable, ...]:
    """The environment for the exchange between the GPUs of several pods."""
    return tuple(Variable.model_validate(entry) for entry in load("frameworks.yaml")["collectives"])
