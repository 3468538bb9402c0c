"""Which model server: the documents' example, hard constraints, ease of use, and what would change the answer."""

from typing import Any

import pytest

from eksml.advisor import recommend_inference_tool
from eksml.advisor.requirements import ModelFramework, ModelType, Performance
from eksml.catalog.tools import tools
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
        ({"framework": "pytorch", "model_type": "embedding"}, "vllm"),
    ],
    ids=str,
)
def test_the_answer_is_sensible(given: dict[str, Any], best: str) -> None:
    assert recommend_inference_tool(given).best == best


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


def test_every_problem_is_told_at_once_with_what_is_allowed() -> None:
    with pytest.raises(SpecError) as refused:
        recommend_inference_tool({"framework": "pytorh", "model_type": "llms", "min_performance": "huge"})
    assert str(refused.value).splitlines() == [
        "framework: 'pytorh' given, must be pytorch, tensorflow, jax, keras, scikit-learn or onnx, did you mean "
        "'pytorch'?",
        "min_performance: 'huge' given, must be low, medium, high or excellent",
        "model_type: 'llms' given, must be llm, chat, embedding, text, vision, tabular or other, did you mean 'llm'?",
    ]


def test_it_is_plain_data_too() -> None:
    content = recommend_inference_tool(requirements).as_json()
    assert content["best"] == content["ranking"][0]["tool"] == "vllm"
    assert set(content) == {
        "question", "requirements", "best", "ties", "ranking", "excluded", "tools", "changes", "notes"
    }  # fmt: skip
