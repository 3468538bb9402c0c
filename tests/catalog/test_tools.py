"""The tools of the decision guides: each is here or has a reason why not, and what is dead has a successor."""

from datetime import date, timedelta
from pathlib import Path

import pytest

import eksml
from eksml import catalog
from eksml.catalog import Tool, decisions, tool_categories, tools
from eksml.platform_settings import PlatformSpec

ROOT = Path(__file__).parents[2]
TOOLS = tools()
# Who names what in the five documents, read line by line.
NAMED = """
PyTorch, TensorFlow, JAX, Hugging Face Transformers, ONNX Runtime, scikit-learn, Keras, XGBoost, PyTorch Lightning, XLA,
Kubeflow training operator, Ray, plain Kubernetes Jobs, vLLM, TensorRT-LLM, Transformers, NVIDIA Triton, KServe,
TensorFlow Serving, TorchServe, MLflow, Weights & Biases, Neptune, TensorBoard, Jupyter, Prometheus, Grafana, Horovod,
DeepSpeed, FairScale, Accelerate, Optuna, Ray Tune, TensorRT, OpenVINO, Apache TVM, ONNX, tf2onnx, TorchScript,
torch.quantization, PyTorch DataLoader, tf.data, Ray Data, Dask, OpenCV, Pillow, torchvision, torchaudio,
TensorFlow Datasets, TensorFlow Hub, Hugging Face hub, spaCy, NLTK, tokenizers, TensorFlow Lite, TensorFlow.js,
Swift for TensorFlow, TFX, GitOps, AutoML, Federated learning, Quantum, Serverless, Argo Rollouts, CUDA kernels,
pytorch/pytorch, tensorflow/tensorflow, nvidia/cuda, nvcr.io/nvidia/pytorch, nvcr.io/nvidia/tensorflow,
nvcr.io/nvidia/jax, gcr.io/deeplearning-platform-release/jax-cuda, huggingface/transformers-pytorch-gpu,
rayproject/ray-ml
"""
# What the code of a blueprint says if it uses a tool; other tools are used by a component of theirs.
USED_AS = {
    "accelerate": "from accelerate import",
    "deepspeed": "import deepspeed",
    "hugging_face_transformers": "from transformers import",
    "jax": "import jax",
    "keras": "import keras",
    "onnx": ".onnx",
    "onnx_runtime": "import onnxruntime",
    "openvino": "import openvino",
    "optuna": "import optuna",
    "pytorch": "import torch",
    "pytorch_dataloader": "DataLoader(",
    "ray": "import ray",
    "ray_data": "ray.data",
    "ray_tune": "from ray import tune",
    "scikit-learn": "from sklearn",
    "tensorflow": "import tensorflow",
    "tf2onnx": '"tf2onnx"',
    "tf_data": "data.Dataset",
    "tokenizers": "from tokenizers import",
    "torch_export": "torch.export",
    "torchvision": "from torchvision",
    "xgboost": "import xgboost",
    "xla": "jax.jit",
}
DEAD = ("torchserve", "tgi", "neptune", "horovod", "fairscale", "tvm_server", "ray_ml_image", "bitnami_charts")


@pytest.mark.parametrize("named", [name.strip() for name in NAMED.replace("\n", " ").split(",")])
def test_every_tool_that_the_documents_name_is_in_the_catalog(named: str) -> None:
    assert any(tool.title.startswith(named) for tool in TOOLS.values()), named


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_has_a_place_that_exists_or_a_reason_why_it_has_none(name: str) -> None:
    tool = TOOLS[name]
    place = (*tool.components, *tool.blueprints, *tool.settings)
    assert bool(place) != bool(tool.left_out)
    assert set(tool.components) <= set(dir(eksml))
    assert all((ROOT / "blueprints" / blueprint).is_dir() for blueprint in tool.blueprints)
    assert all(is_setting(path) for path in tool.settings)


@pytest.mark.parametrize("name", [name for name, tool in TOOLS.items() if tool.blueprints])
def test_a_blueprint_that_shows_a_tool_uses_it(name: str) -> None:
    used_as = {USED_AS[name]} if name in USED_AS else set()
    for blueprint in TOOLS[name].blueprints:
        used = [
            each for each in (*used_as, *TOOLS[name].components) if each in code_of(ROOT / "blueprints" / blueprint)
        ]
        assert used, blueprint


def test_what_is_left_out_because_no_blueprint_needs_it_is_used_by_none() -> None:
    programs = [code_of(folder) for folder in (ROOT / "blueprints").glob("*/*/")]
    assert not any(USED_AS["ray_data"] in program for program in programs)
    assert not TOOLS["ray_data"].blueprints


def code_of(folder: Path) -> str:
    """The programs of a blueprint, with what all of its room share."""
    return "\n".join(
        file.read_text(encoding="utf-8") for file in [*folder.glob("*.py"), *folder.parent.glob("*_run.py")]
    )


def is_setting(path: str) -> bool:
    """Whether a stack file can say it."""
    schema = PlatformSpec.model_json_schema(by_alias=True)
    at = schema
    for key in path.split("."):
        found = at.get("properties", {}).get(key)
        if found is None:
            return False
        refs = [found, *found.get("anyOf", ())]
        ref = next((each["$ref"] for each in refs if "$ref" in each), None)
        at = schema["$defs"][ref.rpartition("/")[2]] if ref else found
    return True


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_goes_with_tools_that_are_alive(name: str) -> None:
    for other in TOOLS[name].works_with:
        assert TOOLS[other].upstream.state in ("alive", "unknown"), other


@pytest.mark.parametrize("name", TOOLS)
def test_what_has_ended_has_a_successor_that_is_alive(name: str) -> None:
    tool = TOOLS[name]
    if tool.upstream.state == "ended":
        assert tool.successor
        assert tool.left_out
    if tool.successor:
        assert TOOLS[tool.successor].upstream.state == "alive"


@pytest.mark.parametrize("name", DEAD)
def test_the_known_dead_are_known_to_be_dead(name: str) -> None:
    assert TOOLS[name].upstream.state == "ended"


def months_old(tool: Tool) -> float:
    year, month = map(int, str(tool.upstream.released).split("-"))
    return (tool.upstream.date - date(year, month, 1)) / timedelta(days=30.4)


@pytest.mark.parametrize("name", [name for name, tool in TOOLS.items() if tool.upstream.released])
def test_alive_is_what_was_released_within_a_year_and_a_half(name: str) -> None:
    tool = TOOLS[name]
    if tool.upstream.state == "alive":
        assert months_old(tool) <= 18, tool.upstream
    if tool.upstream.state == "unknown":
        assert months_old(tool) > 18, "it is alive"


def test_every_category_has_a_title_and_a_tool() -> None:
    assert {tool.category for tool in TOOLS.values()} == set(tool_categories())


def test_what_other_files_of_the_catalog_have_is_joined_by_name() -> None:
    engines = catalog.engines()
    joined = {tool.engine.kind for tool in TOOLS.values() if tool.engine}
    assert joined == set(engines)
    ways = {tool.orchestrator.name for tool in TOOLS.values() if tool.orchestrator}
    assert ways == set(catalog.orchestrators())
    for tool in TOOLS.values():
        assert set(tool.engine.through_onnx if tool.engine else ()) <= set(TOOLS)
        if tool.engine and tool.engine.backend:
            assert tool.engine.backend in engines[tool.engine.kind].backends


def test_what_the_documents_judge_is_not_judged_by_us() -> None:
    for tool in TOOLS.values():
        if tool.engine and tool.engine.ours:
            assert tool.engine.rating.performance is None, tool.title


def test_decisions_name_tools_that_there_are_and_that_are_alive() -> None:
    for row in decisions().frameworks:
        for name in (*row.primary, *row.secondary, *row.tools):
            assert TOOLS[name].upstream.state in ("alive", "unknown"), name
        assert all(TOOLS[name].framework for name in (*row.primary, *row.secondary)), row.says


@pytest.mark.parametrize(
    "condition",
    [
        "TPU",
        "Google Cloud",
        "interpretability",
        "JavaScript deployment",
        "JavaScript on servers",
        "Python expertise",
        "Python-first",
        "Dynamic model architectures",
        "automatic parallelization",
        "stability focus",
        "Market share",
        "Functional programming",
        "time series",
        "rows < 1M",
    ],
)
def test_what_the_documents_choose_by_is_asked_or_left_out_for_a_reason(condition: str) -> None:
    known = decisions()
    assert any(condition in row.says for row in (*known.frameworks, *known.left_out))
    page = (ROOT / "docs" / "choosing.md").read_text(encoding="utf-8")
    assert all(f"| {row.says} | {row.because} |" in page for row in known.left_out)


def test_the_table_of_engines_says_what_the_advisor_judges_by() -> None:
    page = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8").replace("*", "")
    for tool in TOOLS.values():
        if tool.engine:
            judged = (", ".join(tool.engine.frameworks), ", ".join(tool.engine.model_types))
            grades = [tool.engine.grades[name] for name in ("performance", "easeOfUse", "memoryEfficiency", "cost")]
            assert f"| {tool.title} | `{tool.engine.kind}` | {' | '.join([*judged, *grades])} |" in page


def test_what_the_catalog_notes_of_frameworks_is_printed() -> None:
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    assert all(each.note in page for each in catalog.frameworks().values() if each.note)
