"""How much each thing counts: weights as data, with a typed reader."""

from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import Field

from eksml.catalog import Condition, hold
from eksml.catalog._facts import Fact
from eksml.packaged_yaml import load_yaml


class Adjustment(Fact):
    """What counts more or less where requirements are such."""

    when: dict[str, Condition]
    times: dict[str, float] = Field(default_factory=dict)
    """By criterion, what its weight is multiplied with."""
    set: dict[str, float] = Field(default_factory=dict)
    """By criterion, what its weight is instead."""


class QuestionWeights(Fact):
    """The weights of one question."""

    rows: float
    matrix: float
    known: float
    criteria: dict[str, float]
    adjust: tuple[Adjustment, ...]

    def criteria_for(self, facts: dict[str, Any], priorities: tuple[str, ...] = ()) -> dict[str, float]:
        """The weight of each criterion, by the requirements."""
        weights = dict(self.criteria)
        for adjustment in self.adjust:
            if hold(adjustment.when, facts):
                weights.update({name: weights[name] * factor for name, factor in adjustment.times.items()})
                weights.update(adjustment.set)
        # What has no weight by itself has one once it is asked for.
        weights.update({name: (weights[name] or 1.0) * weighting().priority for name in priorities})
        return weights


class MlopsWeights(Fact):
    """The limits of the question of trackers."""

    large_team: int


class Weighting(Fact):
    """All weights."""

    tie_within: float
    secondary: float
    priority: float
    scales: dict[str, dict[str, float]]
    framework: QuestionWeights
    inference: QuestionWeights
    training: QuestionWeights
    mlops: MlopsWeights

    def value(self, criterion: str, grade: str) -> float:
        """What a grade is worth, 0 to 1."""
        scale = "stars" if grade.isdigit() else criterion
        return self.scales.get(scale, self.scales["grades"])[grade]


@cache
def weighting() -> Weighting:
    """How much each thing counts."""
    text = files("eksml.advisor").joinpath("weights.yaml").read_text(encoding="utf-8")
    return Weighting.model_validate(load_yaml(text))
