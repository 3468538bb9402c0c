"""Which tools for experiments and models."""

from itertools import product
from typing import Any

import pytest

from eksml.advisor import select_mlops_stack
from eksml.advisor.requirements import Level, Money
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


def test_a_low_budget_is_a_minimal_one() -> None:
    asked = {"team_size": 50, "compliance": "low"}
    low = select_mlops_stack({**asked, "budget": "low"})
    assert low.requirements.budget is Money.MINIMAL
    assert low.as_json() == select_mlops_stack({**asked, "budget": "minimal"}).as_json()


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


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(SpecError) as refused:
        select_mlops_stack({"budget": "$100", "team_size": -3})
    assert [line.partition(" (")[0] for line in str(refused.value).splitlines()] == [
        "budget: '$100' given, must be minimal, medium or high",
        "compliance: missing",
        "team_size: -3 given, must be at least 1",
    ]


@pytest.mark.parametrize(("team_size", "other", "best"), [(25, 20, "mlflow"), (20, 21, "wandb")])
def test_the_size_of_a_team_at_which_the_answer_changes_is_told(team_size: int, other: int, best: str) -> None:
    stack = select_mlops_stack({"budget": "medium", "team_size": team_size, "compliance": "low"})
    sizes = [change for change in stack.changes if change.requirement == "team_size"]
    assert [(change.value, change.best) for change in sizes] == [(other, (best, best))]


def test_what_would_change_the_answer_does() -> None:
    for budget, team_size, compliance in product(Money, (3, 30), Level):
        asked: dict[str, Any] = {"budget": budget, "team_size": team_size, "compliance": compliance}
        for change in select_mlops_stack(asked).changes:
            other = select_mlops_stack({**asked, change.requirement: change.value})
            assert (other["tracking"], other["registry"]) == change.best
            assert other != select_mlops_stack(asked)
