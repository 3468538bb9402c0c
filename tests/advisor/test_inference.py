"""Which model server: the documents' example, hard constraints, ease of use, and what would change the answer."""

from typing import Any

import pytest

from eksml.advisor import recommend_inference_tool
from eksml.advisor.requirements import ModelFramework, ModelType, Performance, Processor, TeamProfile
from eksml.catalog import tools
from eksml.errors import SpecError

# As the documents have it.
requirements = {"framework": "pytorch", "model_type": "llm", "min_performance": "high", "ease_of_use_priority": True}


def test_the_example_of_the_documents_works_as_written() -> None:
    recommendations = recommend_inference_tool(requirements)
    assert f"Recommended tools: {recommendations}".startswith("Recommended tools: [('vllm', ")
    assert isinstance(recommendations, list)
    assert recommendations == sorted(recommendations, key=lambda item: item[1], reverse=True)
    assert [name for name, _ in recommendations][:2] == ["vllm", "tensorrt_llm"]


def test_a_server_that_cannot_is_left_out_and_not_scored_lower() -> None:
    ranking = recommend_inference_tool(requirements)
    assert ranking.excluded["transformers"] == ("its performance is medium, and high is needed",)
    assert "tensorflow_serving" not in dict(ranking)
    assert ranking.excluded["tensorflow_serving"][0] == ("it serves models of tensorflow, jax or keras, not of pytorch")


def test_what_the_documents_have_wrong_today_is_said() -> None:
    ranking = recommend_inference_tool({"framework": "tensorflow", "model_type": "llm"})
    assert "PyTorch is the only backend that it has left" in ranking.excluded["tensorrt_llm"][0]
    assert "Transformers 5 removed TensorFlow" in ranking.excluded["transformers"][0]
    assert {"vllm", "tensorrt_llm", "transformers"} <= set(ranking.excluded)


def test_ease_of_use_counts() -> None:
    given = {"framework": "pytorch", "model_type": "llm"}
    without = [name for name, _ in recommend_inference_tool(given)]
    with_ease = [name for name, _ in recommend_inference_tool({**given, "ease_of_use_priority": True})]
    assert without.index("transformers") > without.index("tensorrt_llm")
    assert with_ease.index("transformers") < with_ease.index("tensorrt_llm")


def test_a_tie_is_said_to_be_one() -> None:
    ranking = recommend_inference_tool({"framework": "tensorflow", "model_type": "vision"})
    assert ranking.ties == ("triton", "tensorflow_serving", "openvino_model_server")
    assert recommend_inference_tool(requirements).ties == ()


@pytest.mark.parametrize(
    ("given", "best"),
    [
        ({"framework": "pytorch", "model_type": "llm", "min_performance": "excellent"}, "tensorrt_llm"),
        ({"framework": "pytorch", "model_type": "llm", "priorities": ["performance"]}, "tensorrt_llm"),
        ({"framework": "pytorch", "model_type": "llm", "team": "research"}, "vllm"),
        ({"framework": "tensorflow", "model_type": "vision", "team": "production"}, "tensorflow_serving"),
        ({"framework": "pytorch", "model_type": "llm", "team": "startup"}, "transformers"),
        ({"framework": "onnx", "model_type": "vision", "min_performance": "high"}, "triton"),
        ({"framework": "scikit-learn", "model_type": "tabular"}, "triton"),
        ({"framework": "xgboost", "model_type": "tabular", "hardware": "cpu"}, "triton"),
        ({"framework": "pytorch", "model_type": "embedding"}, "vllm"),
    ],
    ids=str,
)
def test_the_answer_is_sensible(given: dict[str, Any], best: str) -> None:
    assert recommend_inference_tool(given).best == best


@pytest.mark.parametrize("framework", ["scikit-learn", "xgboost"])
def test_a_model_that_is_served_through_onnx_is_said_to_be(framework: str) -> None:
    ranking = recommend_inference_tool({"framework": framework, "model_type": "tabular"})
    assert f"it serves models of {framework} through ONNX" in ranking.reasons["triton"].pros
    as_they_are = recommend_inference_tool({"framework": "pytorch", "model_type": "vision"})
    assert not any("ONNX" in pro for pro in as_they_are.reasons["triton"].pros)


@pytest.mark.parametrize("framework", ["scikit-learn", "xgboost"])
@pytest.mark.parametrize("model_type", ["llm", "chat", "embedding", "vision"])
def test_what_a_framework_is_not_made_for_is_served_by_nothing(framework: str, model_type: str) -> None:
    ranking = recommend_inference_tool({"framework": framework, "model_type": model_type})
    assert ranking == []
    assert set(ranking.excluded.values()) == {(f"{framework} is not made for models of type {model_type}",)}
    for possible in ("text", "tabular", "other"):
        assert recommend_inference_tool({"framework": framework, "model_type": possible}).best == "triton"


def test_a_language_model_through_onnx_is_said_to_be_better_off_elsewhere() -> None:
    cons = recommend_inference_tool({"framework": "jax", "model_type": "llm"}).reasons["triton"].cons
    assert "as a checkpoint of Hugging Face, vLLM serves it" in cons[0]
    of_vision = recommend_inference_tool({"framework": "jax", "model_type": "vision"}).reasons["triton"].cons
    assert not any("Hugging Face" in con for con in of_vision)


def test_who_has_trees_as_onnx_is_told_which_server_does_not_read_them() -> None:
    notes = recommend_inference_tool({"framework": "onnx", "model_type": "tabular", "priorities": ["cost"]}).notes
    assert any(note.startswith("OpenVINO Model Server: It reads no trees") for note in notes)


def test_hardware_is_a_constraint() -> None:
    on_cpu = recommend_inference_tool({"framework": "pytorch", "model_type": "llm", "hardware": "cpu"})
    assert on_cpu.excluded["vllm"] == ("it needs a GPU",)
    on_gpu = recommend_inference_tool({"framework": "onnx", "model_type": "vision", "hardware": "gpu"})
    assert on_gpu.excluded["openvino_model_server"] == ("it runs on CPUs only",)


def test_our_own_grades_are_said_to_be_ours() -> None:
    ranking = recommend_inference_tool({"framework": "pytorch", "model_type": "llm"})
    assert ranking.reasons["kserve"].cons[0].startswith("graded by us: ")
    assert not any("graded by us" in con for con in ranking.reasons["vllm"].cons)


def test_where_nothing_will_do_the_list_is_empty_and_says_why() -> None:
    ranking = recommend_inference_tool(
        {"framework": "jax", "model_type": "llm", "min_performance": "excellent", "hardware": "cpu"}
    )
    assert ranking == []
    assert ranking.best is None
    assert set(ranking.excluded) == {name for name, tool in tools().items() if tool.engine}
    assert any(change.requirement == "min_performance" for change in ranking.changes)


@pytest.mark.parametrize("framework", ModelFramework)
@pytest.mark.parametrize("model_type", ModelType)
def test_for_every_model_there_is_a_server_or_every_one_has_a_reason(framework: str, model_type: str) -> None:
    for performance in Performance:
        given = {"framework": framework, "model_type": model_type, "min_performance": performance}
        ranking = recommend_inference_tool(given)
        assert {*dict(ranking), *ranking.excluded} == {name for name, tool in tools().items() if tool.engine}
        assert ranking or all(ranking.excluded.values())


@pytest.mark.parametrize("framework", ["onnx", "jax", "tensorflow", "scikit-learn"])
def test_kserve_runs_the_server_of_transformers_here_and_nothing_else(framework: str) -> None:
    ranking = recommend_inference_tool({"framework": framework, "model_type": "text"})
    assert ranking.excluded["kserve"][0] == f"it serves models of pytorch, not of {framework}"


def test_the_best_ones_say_what_is_to_be_known() -> None:
    notes = recommend_inference_tool({"framework": "tensorflow", "model_type": "vision"}).notes
    assert notes[0].startswith("NVIDIA Triton: Models of TensorFlow come as ONNX")


def changed(asked: dict[str, Any]) -> None:
    """Each change that an answer names is one, and every other value of a requirement leaves it as it is."""
    ranking = recommend_inference_tool(asked)
    named = {(change.requirement, change.value): change.best for change in ranking.changes}
    values: dict[str, list[Any]] = {
        "framework": [*ModelFramework],
        "model_type": [*ModelType],
        "min_performance": [*Performance],
        "hardware": [None, *Processor],
        "team": [None, *TeamProfile],
        "ease_of_use_priority": [False, True],
    }
    for name, each in values.items():
        for value in each:
            top = recommend_inference_tool({**asked, name: value}).top
            assert named.get((name, value), ranking.top) == top, (asked, name, value)


@pytest.mark.parametrize("framework", ModelFramework)
def test_what_is_said_to_change_the_answer_changes_it_and_nothing_else_does(framework: str) -> None:
    changed({"framework": framework, "model_type": "vision"})
    changed({"framework": framework, "model_type": "llm", "team": "startup", "ease_of_use_priority": True})


def test_every_problem_is_told_at_once_with_what_is_allowed() -> None:
    with pytest.raises(SpecError) as refused:
        recommend_inference_tool({"framework": "pytorh", "model_type": "llms", "min_performance": "huge"})
    assert str(refused.value).splitlines() == [
        "framework: 'pytorh' given, must be pytorch, tensorflow, jax, keras, scikit-learn, xgboost or onnx, did you "
        "mean 'pytorch'?",
        "min_performance: 'huge' given, must be low, medium, high or excellent",
        "model_type: 'llms' given, must be llm, chat, embedding, text, vision, tabular or other, did you mean 'llm'?",
    ]


def test_it_is_plain_data_too() -> None:
    content = recommend_inference_tool(requirements).as_json()
    assert content["best"] == content["ranking"][0]["tool"] == "vllm"
    assert set(content) == {
        "question", "requirements", "best", "ties", "ranking", "excluded", "unjudged", "tools", "changes", "notes"
    }  # fmt: skip


def test_where_nothing_will_do_it_says_what_would() -> None:
    needed = {"framework": "tensorflow", "model_type": "llm", "hardware": "cpu", "min_performance": "excellent"}
    ranking = recommend_inference_tool(needed)
    assert ranking == []
    assert ranking.changes
