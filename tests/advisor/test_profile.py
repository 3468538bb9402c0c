"""A whole platform from a few answers."""

import itertools
import subprocess
import sys
from typing import Any

import jsonschema
import pytest
import yaml

from eksml.advisor import recommend_profile
from eksml.errors import SpecError
from eksml.profiles import platform_spec
from eksml.profiles.schema import stack_file_schema
from eksml.serving.transformers_server import TransformersServerSpec
from eksml.serving.vllm_server import VllmServerSpec

QWEN = "Qwen/Qwen2.5-7B-Instruct"
LLAMA = "meta-llama/Llama-3.3-70B-Instruct"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def content(answers: dict[str, Any]) -> Any:
    return yaml.safe_load(recommend_profile(answers).stack_file())


# The team profiles of the documents.
@pytest.mark.parametrize(
    ("answers", "framework", "training", "tracking", "serving"),
    [
        ({"goal": "research"}, "PyTorch", "ray", "wandb", "vllm"),
        ({"goal": "production"}, "TensorFlow", "kubeflow", "mlflow", "tensorflowServing"),
        ({"goal": "production", "budget": "minimal"}, "PyTorch", "native_kubernetes", "mlflow", "transformers"),
    ],
)
def test_the_team_profiles_of_the_documents_hold(
    answers: dict[str, Any], framework: str, training: str, tracking: str, serving: str
) -> None:
    choice = recommend_profile(answers)
    spec = platform_spec(choice.settings, region="us-west-2", name="lab")
    assert choice.reasons[1].startswith(f"{framework}: ")
    assert choice.training.best == training
    assert choice.mlops["tracking"] == tracking
    assert next(iter(spec.servers.values())).kind == serving


@pytest.mark.parametrize(
    ("team", "compliance", "notebooks", "model"),
    list(
        itertools.product(
            ("research", "production", "startup"), ("low", "high"), (None, True, False), (None, QWEN, LLAMA)
        )
    ),
)
def test_every_stack_file_is_valid(team: str, compliance: str, notebooks: bool | None, model: str | None) -> None:
    answers = {
        "goal": "production",
        "team": team,
        "compliance": compliance,
        "notebooks": notebooks,
        "model": model,
        "revision": COMMIT if model == LLAMA else None,
        "team_size": 25,
        "monthly_usd": 5000,
        "email": "ada@example.com",
        "training_gpus": 8,
    }
    made = content(answers)
    jsonschema.validate(made, stack_file_schema())
    config = made["config"]
    spec = platform_spec(config["eksml:platform"], region=config["aws:region"], name="lab")
    assert spec.profile == team
    assert (spec.notebooks is not None) == (notebooks if notebooks is not None else team == "research")
    assert spec.budget
    assert spec.budget.monthly_usd == 5000
    if model:
        (server,) = spec.servers.values()
        assert isinstance(server, VllmServerSpec | TransformersServerSpec)
        assert server.source.hub_model == model


def test_a_model_that_one_gpu_does_not_hold_is_served_by_what_divides_it() -> None:
    answers = {"goal": "production", "team": "startup", "model": LLAMA, "revision": COMMIT}
    (server,) = platform_spec(recommend_profile(answers).settings, region="us-west-2", name="lab").servers.values()
    assert server.kind == "vllm"
    assert server.gpus_per_node > 1


@pytest.mark.parametrize("team", ["research", "production", "startup"])
@pytest.mark.parametrize("gpus", [4, 5, 64])
def test_training_may_have_as_many_gpus_as_it_likes(team: str, gpus: int) -> None:
    settings = recommend_profile({"goal": "research", "team": team, "training_gpus": gpus}).settings
    assert platform_spec(settings, region="us-west-2", name="lab")


def test_a_gated_model_needs_a_token_and_a_step() -> None:
    choice = recommend_profile({"goal": "research", "model": "meta-llama/Llama-3.1-8B-Instruct"})
    assert choice.settings["servers"]["language-model"]["source"]["token"] == {"secret": "hugging-face", "key": "token"}
    assert any("accept the licence" in step for step in choice.steps)
    assert not any("licence" in step for step in recommend_profile({"goal": "research", "model": QWEN}).steps)


def test_the_way_to_train_follows_the_framework() -> None:
    settings = recommend_profile({"goal": "production", "team": "startup", "framework": "jax"}).settings
    assert "training" not in settings
    choice = recommend_profile({"goal": "research", "data_must_stay": True})
    assert choice.mlops["tracking"] == "mlflow"
    assert choice.settings["tracking"]["weightsAndBiases"] is None


def test_the_stack_file_says_why_and_what_is_to_be_done_in_80_columns() -> None:
    choice = recommend_profile({"goal": "research", "model": QWEN})
    text = choice.stack_file()
    assert text.startswith("# yaml-language-server: $schema=stack.schema.json\n")
    assert "# - research: the goal is research" in text
    assert "pulumi config set --secret eksml:wandbApiKey" in text.replace("\n#   ", " ")
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("answers", "problems"),
    [
        ({}, ["goal: missing"]),
        (
            {"goal": "research", "team_size": -1, "monthly_usd": "$3000", "framework": "caffe"},
            [
                "framework: 'caffe' given, must be pytorch, tensorflow, jax, keras or scikit-learn",
                "monthly_usd: '$3000' given, must be a whole number",
                "team_size: -1 given, must be at least 1",
            ],
        ),
        ({"goal": "research", "model": "gpt-7"}, ["model: 'gpt-7' given, must be a language model of the catalog"]),
        ({"goal": "research", "model": LLAMA}, [f"revision: missing: the catalog has no commit of {LLAMA}"]),
        (
            {"goal": "research", "training_gpus": 2},
            ["training_gpus: 2 given, must be at least 4: the smallest node of"],
        ),
        ({"goal": "research", "email": "ada@example.com"}, ["email: given, but has no effect without monthly_usd"]),
        ({"goal": "research", "region": "mars"}, ["region: 'mars' given, must be an AWS region like us-west-2"]),
        (
            {"goal": "research", "model": QWEN, "requests": 10_000, "context_length": 32_768},
            [f"model: {QWEN} fits on no instance of us-west-2"],
        ),
    ],
)
def test_bad_answers_are_told_all_at_once(answers: dict[str, Any], problems: list[str]) -> None:
    with pytest.raises(SpecError) as refused:
        recommend_profile(answers)
    lines = str(refused.value).splitlines()
    assert len(lines) == len(problems), lines
    assert all(line.startswith(problem) for line, problem in zip(lines, problems, strict=True)), lines


def test_nothing_but_the_profile_loads_a_provider_sdk() -> None:
    program = (
        "import sys; from eksml.advisor import *; recommend_framework({'goal': 'research'});"
        "recommend_inference_tool({'framework': 'pytorch', 'model_type': 'llm'});"
        "recommend_training_orchestrator({'framework': 'pytorch'});"
        "select_mlops_stack({'budget': 'high', 'team_size': 3, 'compliance': 'low'});"
        "print([name for name in sys.modules if name.split('.')[0] in ('pulumi', 'pulumi_aws', 'boto3')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
