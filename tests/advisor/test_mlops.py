"""Which tools for experiments and models."""

from typing import Any

import pytest

from eksml.advisor import select_mlops_stack
from eksml.errors import SpecError


@pytest.mark.parametrize(
    ("budget", "team_size", "compliance", "expected"),
    [
        ("minimal", 50, "high", ("mlflow", "mlflow", "kubernetes")),
        ("minimal", 50, "low", ("mlflow", "mlflow", "kubernetes")),
        ("medium", 21, "low", ("wandb", "wandb", "hybrid")),
        ("medium", 20, "low", ("mlflow", "mlflow", "kubernetes")),
        ("high", 25, "high", ("wandb", "mlflow", "hybrid")),
    ],
)
def test_the_function_of_the_documents_answers_as_it_does_there(
    budget: str, team_size: int, compliance: str, expected: tuple[str, str, str]
) -> None:
    stack = select_mlops_stack({"budget": budget, "team_size": team_size, "compliance": compliance})
    assert (stack["tracking"], stack["registry"], stack["deployment_strategy"]) == expected
    assert list(stack) == ["tracking", "registry", "deployment_strategy"]
    assert set(stack.reasons) == {"tracking", "registry"}


@pytest.mark.parametrize(("team", "tracking"), [("research", "wandb"), ("production", "mlflow"), ("startup", "mlflow")])
def test_teams_have_their_favourite(team: str, tracking: str) -> None:
    given: dict[str, Any] = {"budget": "medium", "team_size": 5, "compliance": "low", "team": team}
    assert select_mlops_stack(given)["tracking"] == tracking


def test_what_must_stay_stays() -> None:
    given = {"budget": "high", "team_size": 100, "compliance": "high", "data_must_stay": True, "team": "research"}
    stack = select_mlops_stack(given)
    assert dict(stack) == {"tracking": "mlflow", "registry": "mlflow", "deployment_strategy": "kubernetes"}
    assert stack.excluded["wandb"] == ("it is hosted by others, and nothing may leave your account",)


def test_neptune_is_out_with_its_successor() -> None:
    stack = select_mlops_stack({"budget": "high", "team_size": 3, "compliance": "low"})
    assert "Take mlflow" in stack.excluded["neptune"][0]


def test_what_would_change_the_answer_does() -> None:
    given: dict[str, Any] = {"budget": "medium", "team_size": 25, "compliance": "low"}
    for change in select_mlops_stack(given).changes:
        other = select_mlops_stack({**given, change.requirement: change.value})
        assert (other["tracking"], other["registry"]) == change.best


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(SpecError) as refused:
        select_mlops_stack({"budget": "$100", "team_size": -3})
    assert [line.partition(" (")[0] for line in str(refused.value).splitlines()] == [
        "budget: '$100' given, must be minimal, medium or high",
        "compliance: missing",
        "team_size: -3 given, must be at least 1",
    ]
