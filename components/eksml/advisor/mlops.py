"""Which tools keep experiments and models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eksml.advisor.ranking import Change, Reasons, as_json, other_requirements
from eksml.advisor.requirements import Level, MlopsRequirements, Money, requirements_of
from eksml.advisor.weights import weighting
from eksml.catalog import decisions, tools

_MLFLOW, _WANDB = "mlflow", "wandb"


class MlopsStack(dict[str, str]):
    """What tracks experiments (`tracking`), what keeps models (`registry`), and where they run (`deployment_strategy`).

    Attributes:
        requirements: what was asked.
        reasons: by `tracking` and `registry`, what speaks for the tool and what against it.
        excluded: by tool, why it cannot be the answer.
        changes: what would change the answer.
    """

    def __init__(self, requirements: MlopsRequirements, tracking: str, registry: str):
        deployment = "kubernetes" if tracking == _MLFLOW else "hybrid"
        super().__init__(tracking=tracking, registry=registry, deployment_strategy=deployment)
        self.requirements = requirements
        self.reasons: dict[str, Reasons] = {}
        self.excluded: dict[str, tuple[str, ...]] = {}
        self.changes: tuple[Change, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "question": "mlops",
            "requirements": self.requirements.settings(),
            **self,
            "reasons": {
                part: {"pros": list(each.pros), "cons": list(each.cons)} for part, each in self.reasons.items()
            },
            "excluded": {name: list(reasons) for name, reasons in self.excluded.items()},
            "changes": [as_json(change) for change in self.changes],
        }


def select_mlops_stack(requirements: Mapping[str, Any] | MlopsRequirements) -> MlopsStack:
    """The tools for experiments and models.

    Arguments:
        requirements: `budget`, `team_size`, `compliance`, and what else is known: `data_must_stay`, `team`.

    Raises SpecError with every problem of the requirements at once.
    """
    asked = requirements_of(MlopsRequirements, requirements)
    stack = _selected(asked)
    stack.excluded = _excluded(asked)
    others = [(name, value, _selected(other)) for name, value, other in other_requirements(asked)]
    stack.changes = tuple(
        Change(name, value, (other["tracking"], other["registry"])) for name, value, other in others if other != stack
    )
    return stack


def _selected(asked: MlopsRequirements) -> MlopsStack:
    tracking, because = _tracking(asked)
    is_strict = asked.compliance is Level.HIGH
    stack = MlopsStack(asked, tracking, _MLFLOW if is_strict else tracking)
    in_registry = "it is your own, and shows who made which model of what" if is_strict else "one tool does both"
    stack.reasons = {
        "tracking": Reasons((because,), _against(tracking)),
        "registry": Reasons((in_registry,), () if stack["registry"] == tracking else ("two tools to know",)),
    }
    return stack


def _tracking(asked: MlopsRequirements) -> tuple[str, str]:
    """The tracker, and why."""
    if asked.data_must_stay:
        return _MLFLOW, "it runs in your own account"
    if asked.budget is Money.MINIMAL:
        return _MLFLOW, "it costs its database and two pods, whoever uses it"
    if asked.team and decisions().teams[asked.team].tracking == _WANDB:
        return _WANDB, f"{asked.team} teams take it"
    if asked.team_size > weighting().mlops.large_team:
        return _WANDB, f"more than {weighting().mlops.large_team} people get much of its reports and its sharing"
    return _MLFLOW, "it costs no fee for each person, and a team of this size needs no more"


def _against(tracking: str) -> tuple[str, ...]:
    if tracking == _WANDB:
        return ("it is paid for each person", "settings, losses and files of runs leave your account")
    return ("its database and its pods are yours to look after",)


def _excluded(asked: MlopsRequirements) -> dict[str, tuple[str, ...]]:
    hosted = []
    if asked.data_must_stay:
        hosted.append("it is hosted by others, and nothing may leave your account")
    if asked.budget is Money.MINIMAL:
        hosted.append("it is paid for each person, and the budget is minimal")
    neptune = tools()["neptune"]
    out = {"neptune": (f"{neptune.left_out} Take {neptune.successor}.",)}
    return {**({_WANDB: tuple(hosted)} if hosted else {}), **out}
