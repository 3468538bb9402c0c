"""Which framework: the documents' tree, tables and lists, one row each; what is out of the question; ties."""

from typing import Any

import pytest

from eksml.advisor import FrameworkRequirements, recommend_framework
from eksml.advisor.requirements import Goal
from eksml.catalog import DecisionRow, decisions, tools
from eksml.errors import SpecError

# The documents' own words, apart from the catalog: scenario table, decision tree, use cases.
DOCUMENTS = [
    ({"workload": "language_model"}, ["pytorch"]),
    ({"target": "mobile"}, ["tensorflow"]),
    ({"workload": "tabular"}, ["scikit-learn"]),
    ({"workload": "simulation"}, ["jax"]),
    ({"goal": "learning"}, ["keras"]),
    ({"goal": "production", "target": "mobile"}, ["tensorflow"]),
    ({"goal": "production", "target": "edge"}, ["tensorflow"]),
    ({"goal": "production", "target": "browser"}, ["tensorflow"]),
    ({"goal": "production", "large_scale": True}, ["tensorflow", "pytorch"]),
    ({"goal": "production"}, ["tensorflow", "pytorch"]),
    ({"goal": "research", "workload": "deep_learning"}, ["pytorch"]),
    ({"goal": "research", "functional": True}, ["jax"]),
    ({"goal": "research", "workload": "tabular"}, ["scikit-learn"]),
    ({"goal": "performance", "hardware": "gpu"}, ["jax", "pytorch"]),
    ({"goal": "performance", "large_scale": True}, ["tensorflow", "pytorch"]),
    ({"goal": "performance", "hardware": "cpu"}, ["scikit-learn"]),
    ({"goal": "learning", "workload": "deep_learning"}, ["keras"]),
    ({"goal": "learning", "workload": "tabular"}, ["scikit-learn"]),
    ({"goal": "learning", "for_research": True}, ["pytorch"]),
    ({"goal": "research"}, ["pytorch"]),
    ({"goal": "production", "workload": "language_model"}, ["pytorch"]),
    ({"goal": "production", "workload": "time_series"}, ["tensorflow"]),
    ({"target": "edge"}, ["tensorflow"]),
    ({"goal": "performance"}, ["jax"]),
]


def asked_by(row: DecisionRow) -> dict[str, Any]:
    """The requirements in which exactly the conditions of a row are met."""
    given: dict[str, Any] = {name: value[0] if isinstance(value, tuple) else value for name, value in row.when.items()}
    if given.pop("large_table", False):
        given["rows"] = decisions().large_table_rows + 1
    if not {"goal", "workload", "target"} & {*given}:
        given["goal"] = "research"
    return given


@pytest.mark.parametrize(("requirements", "expected"), DOCUMENTS, ids=str)
def test_what_the_documents_say_holds(requirements: dict[str, Any], expected: list[str]) -> None:
    ranking = recommend_framework(requirements)
    assert {name for name, _ in ranking[: len(expected)]} == {*expected}
    assert set(ranking.ties) == set(expected if len(expected) > 1 else [])


@pytest.mark.parametrize("goal", list(Goal))
def test_for_tables_it_is_never_deep_learning_unless_a_gpu_is_asked_for(goal: Goal) -> None:
    assert recommend_framework({"goal": goal, "workload": "tabular"}).top == ("scikit-learn",)
    assert recommend_framework({"goal": goal, "workload": "tabular", "hardware": "cpu"}).top == ("scikit-learn",)


@pytest.mark.parametrize("goal", [None, *Goal])
@pytest.mark.parametrize("large_scale", [False, True])
def test_for_tables_on_gpus_it_is_boosted_trees(goal: Goal | None, large_scale: bool) -> None:
    asked = {"goal": goal, "workload": "tabular", "hardware": "gpu", "large_scale": large_scale}
    ranking = recommend_framework(asked)
    assert ranking.top == ("xgboost",)
    assert ranking.reasons["xgboost"].pros[0].startswith("gradient-boosted trees beat deep learning on most tables")
    assert ranking.excluded["scikit-learn"] == ("it does not calculate on a gpu, but on a cpu",)


@pytest.mark.parametrize("goal", [None, Goal.PRODUCTION, Goal.RESEARCH, Goal.PERFORMANCE])
def test_for_tables_at_a_large_scale_boosted_trees_go_before_all_else(goal: Goal | None) -> None:
    ranking = recommend_framework({"goal": goal, "workload": "tabular", "large_scale": True})
    assert [name for name, _ in ranking[:2]] == ["xgboost", "scikit-learn"]
    assert ranking.ties == ()


@pytest.mark.parametrize("goal", [None, *Goal])
def test_large_tables_are_never_first_for_deep_learning(goal: Goal | None) -> None:
    rows = decisions().large_table_rows + 1
    ranking = recommend_framework({"goal": goal, "workload": "tabular", "rows": rows})
    assert "xgboost" in ranking.top
    assert {*ranking.top} <= {"xgboost", "scikit-learn"}


def test_who_learns_language_models_learns_what_they_are_written_in() -> None:
    assert recommend_framework({"goal": "learning", "workload": "language_model"}).top == ("pytorch",)


def test_a_row_whose_first_choice_cannot_be_takes_nothing_from_the_others() -> None:
    on_cpus = recommend_framework({"goal": "performance", "workload": "vision", "hardware": "cpu"})
    assert on_cpus[0] == recommend_framework({"goal": "performance", "workload": "vision", "hardware": "gpu"})[0]


def test_what_is_ours_names_who_says_so() -> None:
    ours = [row for row in decisions().frameworks if row.document == "ours"]
    assert ours
    assert all(row.source and "https://" in row.source for row in ours)
    assert all(row.kind == "ours" for row in ours)


@pytest.mark.parametrize("row", decisions().frameworks, ids=lambda row: row.says)
def test_every_row_of_the_catalog_holds_where_its_conditions_do(row: DecisionRow) -> None:
    ranking = recommend_framework(asked_by(row))
    assert {name for name, _ in ranking[: len(row.primary)]} == set(row.primary)
    assert row.because in ranking.reasons[row.primary[0]].pros


@pytest.mark.parametrize(
    ("requirements", "beside"),
    [
        ({"goal": "research"}, ("jupyter", "wandb", "ray")),
        ({"goal": "production", "workload": "language_model"}, ("vllm", "triton", "prometheus", "grafana")),
        ({"goal": "performance"}, ("xla", "cuda_kernels")),
        ({"target": "mobile"}, ("litert",)),
    ],
)
def test_the_tools_of_a_use_case_come_with_it(requirements: dict[str, Any], beside: tuple[str, ...]) -> None:
    assert recommend_framework(requirements).tools[: len(beside)] == beside


def test_what_is_different_today_is_said() -> None:
    notes = recommend_framework({"goal": "production", "large_scale": True}).notes
    assert any("TorchServe is archived" in note for note in notes)
    grades = recommend_framework({"goal": "research"}).reasons["tensorflow"]
    assert any(con.startswith("research support: fair (Transformers 5 has no") for con in grades.cons)


@pytest.mark.parametrize(
    ("requirements", "out", "reason"),
    [
        ({"goal": "research"}, "onnx_runtime", "it runs models, and trains none"),
        ({"target": "browser"}, "jax", "its models do not run on the target browser"),
        ({"workload": "vision"}, "scikit-learn", "it is not made for vision"),
        ({"goal": "performance", "hardware": "gpu"}, "scikit-learn", "it does not calculate on a gpu, but on a cpu"),
    ],
)
def test_what_cannot_be_is_left_out_with_the_reason(requirements: dict[str, Any], out: str, reason: str) -> None:
    ranking = recommend_framework(requirements)
    assert out not in dict(ranking)
    assert ranking.excluded[out][0].startswith(reason)


def test_every_framework_is_ranked_or_out_of_the_question_or_not_judged() -> None:
    ranking = recommend_framework({"goal": "research"})
    assert ranking.unjudged == ("hugging_face_transformers", "keras", "scikit-learn", "xgboost")
    assert {*dict(ranking), *ranking.excluded, *ranking.unjudged} == {
        name for name, tool in tools().items() if tool.framework
    }


def test_what_the_team_knows_and_what_has_priority_count() -> None:
    base = dict(recommend_framework({"goal": "production"}))
    known = dict(recommend_framework({"goal": "production", "team_knows": "jax"}))
    assert known["jax"] > base["jax"]
    by_mlops = recommend_framework({"goal": "production", "priorities": ["mlopsEcosystem"]})
    assert by_mlops.best == "tensorflow"
    assert by_mlops.ties == ()


def test_what_would_change_the_answer_does() -> None:
    ranking = recommend_framework({"goal": "production", "workload": "language_model"})
    assert ranking.changes
    for change in ranking.changes:
        given = {"goal": "production", "workload": "language_model", change.requirement: change.value}
        assert recommend_framework(given).top == change.best


def test_who_comes_second_has_a_reason_too() -> None:
    assert recommend_framework({"target": "mobile"}).reasons["onnx_runtime"].pros == ("the documents' second choice",)


def test_scores_are_sorted_and_between_0_and_100() -> None:
    for goal in ("production", "research", "performance", "learning"):
        scores = [score for _, score in recommend_framework({"goal": goal})]
        assert scores == sorted(scores, reverse=True)
        assert all(0 < score <= 100 for score in scores)


def test_requirements_are_taken_as_a_type_too() -> None:
    typed = FrameworkRequirements.model_validate({"goal": "research"})
    assert recommend_framework(typed) == recommend_framework({"goal": "research"})


@pytest.mark.parametrize(
    ("requirements", "problems"),
    [
        ({}, ["goal: missing (production, research, performance or learning): give it, or workload or target"]),
        (
            {"goal": "prod", "rows": -1, "taget": "mobile"},
            [
                "goal: 'prod' given, must be production, research, performance or learning",
                "rows: -1 given, must be at least 0",
                "taget: unknown key, did you mean 'target'?",
            ],
        ),
        ({"workload": "tabular", "rows": "$5"}, ["rows: '$5' given, must be a whole number"]),
        (
            {"goal": "research", "hardware": "tpu"},
            ["hardware: 'tpu' given, must be cpu or gpu: EKS has no TPUs, they are Google's; what is written for them"],
        ),
        (
            {"goal": "research", "hardware": "Trainium2"},
            ["hardware: 'Trainium2' given, must be cpu or gpu: this library has no nodes of AWS Neuron"],
        ),
        ({"workload": "vision", "rows": 5}, ["rows: given, but only tables have rows"]),
        ({"goal": "research", "team_knows": "torch"}, ["team_knows: 'torch' given, must be pytorch, tensorflow, jax"]),
        (
            {"goal": "research", "priorities": ["debugging", "debugging"]},
            ["priorities[1]: 'debugging' is listed twice"],
        ),
    ],
)
def test_what_is_not_known_is_an_error_and_never_zero(requirements: dict[str, Any], problems: list[str]) -> None:
    with pytest.raises(SpecError) as refused:
        recommend_framework(requirements)
    lines = str(refused.value).splitlines()
    assert len(lines) == len(problems), lines
    assert all(line.startswith(problem) for line, problem in zip(lines, problems, strict=True)), lines
