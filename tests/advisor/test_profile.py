"""A whole platform from a few answers."""

import itertools
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema.validators import validator_for

from eksml.advisor import ProfileAnswers, recommend_framework, recommend_profile
from eksml.advisor.platform_tools import platform_tools
from eksml.advisor.served import served_by
from eksml.checks import run_checks
from eksml.errors import SpecError
from eksml.plan.project import find_stack
from eksml.plan.recorder import record
from eksml.profiles import platform_spec
from eksml.profiles.schema import stack_file_schema
from eksml.serving.transformers_server import TransformersServerSpec
from eksml.serving.vllm_server import VllmServerSpec
from eksml.spec import parse

ROOT = Path(__file__).parents[2]
QWEN = "Qwen/Qwen2.5-7B-Instruct"
LLAMA = "meta-llama/Llama-3.3-70B-Instruct"
# The catalog does not know its commit.
COMMAND = "CohereLabs/c4ai-command-r7b-12-2024"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@cache
def editor() -> Any:
    """What an editor judges a stack file by."""
    schema = stack_file_schema()
    return validator_for(schema)(schema)


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
    editor().validate(made)
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
@pytest.mark.parametrize("model", ["deepseek-ai/DeepSeek-V3", "openai/gpt-oss-20b", "google/gemma-2-9b-it", QWEN])
def test_a_model_is_sized_as_its_server_will_hold_it(team: str, model: str) -> None:
    answers = {"goal": "production", "team": team, "model": model, "requests": 1}
    choice = recommend_profile(answers)
    server = platform_spec(choice.settings, region="us-west-2", name="lab").servers["language-model"]
    assert isinstance(server, VllmServerSpec | TransformersServerSpec)
    served = served_by(choice.answers, choice.profile).instance.fitted.serving
    assert server.serving(served.gpu) == served


def test_a_quantised_model_is_served_by_what_leaves_it_so() -> None:
    choice = recommend_profile({"goal": "production", "team": "startup", "model": "openai/gpt-oss-20b"})
    server = choice.settings["servers"]["language-model"]
    assert (server["kind"], server["instanceType"]) == ("vllm", "g6.xlarge")


def test_what_is_published_in_bfloat16_is_not_served_in_float16() -> None:
    gemma = {"goal": "production", "team": "startup", "model": "google/gemma-2-9b-it"}
    server = recommend_profile(gemma).settings["servers"]["language-model"]
    assert (server["kind"], server["precision"]) == ("transformers", "bfloat16")


def test_a_context_that_the_model_does_not_take_is_told_as_an_answer() -> None:
    with pytest.raises(SpecError, match="context_length: 8192 is too long, must be at most 1024"):
        recommend_profile({"goal": "research", "model": "openai-community/gpt2"})
    assert recommend_profile({"goal": "research", "model": "openai-community/gpt2", "context_length": 1024})
    with pytest.raises(SpecError) as caught:
        recommend_profile({"goal": "research", "model": "BAAI/bge-small-en-v1.5"})
    assert [problem.path for problem in caught.value.problems] == [("model",)]


@pytest.mark.parametrize("team", ["research", "production", "startup"])
@pytest.mark.parametrize("model", [QWEN, None])
def test_who_trains_nothing_may_have_notebooks(team: str, model: str | None) -> None:
    spec = platform({"goal": "production", "team": team, "training_gpus": 0, "notebooks": True, "model": model})
    assert spec.notebooks
    assert spec.notebooks.team in spec.teams


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
                "framework: 'caffe' given, must be pytorch, tensorflow, jax, keras, scikit-learn or xgboost",
                "monthly_usd: '$3000' given, must be a whole number",
                "team_size: -1 given, must be at least 1",
            ],
        ),
        ({"goal": "research", "model": "gpt-7"}, ["model: 'gpt-7' given, must be a language model of the catalog"]),
        (
            {"goal": "research", "model": COMMAND},
            [f"revision: missing: the catalog has no commit of {COMMAND}: give revision=<commit>"],
        ),
        (
            {"goal": "research", "training_gpus": 2},
            ["training_gpus: 2 given, must be at least 4: the smallest node of"],
        ),
        (
            {"goal": "research", "revision": COMMIT, "context_length": 4096, "requests": 2},
            [f"{name}: given, but has no effect without model" for name in ("context_length", "requests", "revision")],
        ),
        (
            {"goal": "research", "framework": "scikit-learn", "training_gpus": 8},
            ["training_gpus: given, but has no effect with scikit-learn, which calculates on CPUs"],
        ),
        ({"goal": "research", "region": "mars-north-1"}, ["region: 'mars-north-1' given, must be an AWS region"]),
        (
            {"goal": "research", "region": "us-west-9"},
            ["region: 'us-west-9' given, is not in the catalog, did you mean 'us-west-"],
        ),
        (
            # Another partition of AWS: an account has no use of the nearest name.
            {"goal": "research", "region": "us-gov-west-1"},
            ["region: 'us-gov-west-1' given, is not in the catalog, which has af-south-1, "],
        ),
        (
            {"goal": "production", "region": "ap-southeast-1"},
            ["region: EC2 offers nothing in ap-southeast-1 in the place of the GPUs of train, serve or burst"],
        ),
        (
            {"goal": "research", "region": "ap-southeast-2", "model": QWEN},
            ["region: ap-southeast-2 has no prices in the catalog, with a model it must be ap-northeast-1, "],
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


@pytest.mark.parametrize(
    ("answers", "way_out"),
    [
        ({"model": QWEN, "requests": 2_000}, r"it does with requests=(\d+) \(2 such servers hold all\) or "),
        ({"model": QWEN, "requests": 2_000}, r" or context_length=(\d+); in a stack file of your own with kvCachePrec"),
        (
            {"model": "deepseek-ai/DeepSeek-V3", "region": "eu-west-1"},
            r"it does with region=(ap-northeast-1), .*; in a ",
        ),
        (
            {"model": "deepseek-ai/DeepSeek-V3", "region": "eu-west-1", "requests": 1_000},
            r"it does with region=(ap-northeast-1), us-east-1, us-east-2 or us-west-2 and fewer requests",
        ),
    ],
    ids=str,
)
def test_where_a_model_fits_nowhere_it_is_said_what_would_fit(answers: dict[str, Any], way_out: str) -> None:
    with pytest.raises(SpecError) as refused:
        recommend_profile({"goal": "production", **answers})
    told = re.search(way_out, str(refused.value))
    assert told, refused.value
    name = next(each for each in ("requests", "context_length", "region") if f"{each}=(" in way_out)
    changed = {**answers, name: told[1] if name == "region" else int(told[1])}
    changed.update({"requests": 1} if "fewer requests" in way_out else {})
    served = recommend_profile({"goal": "production", **changed}).settings["servers"]["language-model"]
    assert served["source"]["model"] == answers["model"]


def test_no_region_is_a_way_out_that_has_no_gpus_for_the_profile() -> None:
    answers = {"goal": "research", "model": "openai/gpt-oss-20b", "region": "eu-west-1", "requests": 1_000}
    with pytest.raises(SpecError, match=r"or region=ap-northeast-1, eu-central-1, us-east-1, us-east-2 or us-west-2"):
        recommend_profile(answers)
    with pytest.raises(SpecError, match="EC2 offers nothing in ap-southeast-1"):
        recommend_profile({**answers, "region": "ap-southeast-1"})


@pytest.mark.parametrize("step", [1, 1024])
def test_of_the_ways_out_none_is_smaller_than_it_need_be(step: int) -> None:
    name = "requests" if step == 1 else "context_length"
    answers = {"goal": "production", "model": QWEN, "requests": 2_000}
    with pytest.raises(SpecError) as refused:
        recommend_profile(answers)
    told = re.search(rf"{name}=(\d+)", str(refused.value))
    assert told
    with pytest.raises(SpecError, match="fits on no instance"):
        recommend_profile({**answers, name: int(told[1]) + step})


def test_what_would_fit_on_several_nodes_or_in_fewer_bits_is_named_in_the_words_of_a_stack_file() -> None:
    with pytest.raises(SpecError) as refused:
        recommend_profile({"goal": "production", "model": "deepseek-ai/DeepSeek-V3", "region": "eu-west-1"})
    named = re.search(r"with nodes: (\d), each (\S+)$", str(refused.value))
    assert named
    server = {
        "kind": "vllm",
        "namespace": "serving",
        "source": {"kind": "hub", "model": "deepseek-ai/DeepSeek-V3"},
        "pool": "serve",
        "contextLength": 8192,
        "gpusPerNode": 8,
        "instanceType": named[2],
    }
    assert parse(VllmServerSpec, {**server, "nodes": int(named[1])})
    with pytest.raises(SpecError, match="does not fit"):
        parse(VllmServerSpec, server)


def platform(answers: dict[str, Any]) -> Any:
    region = answers.get("region", "us-west-2")
    return platform_spec(recommend_profile(answers).settings, region=region, name="lab")


@pytest.mark.parametrize("team", ["research", "production", "startup"])
def test_a_region_without_the_gpus_of_the_profile_has_others_of_as_much_memory(team: str) -> None:
    answers = {"goal": "research", "team": team, "region": "eu-west-1"}
    spec = platform(answers)
    types = {name for pool in spec.pools.values() if pool.has_gpus for name in pool.instance_types}
    assert types
    assert all(name.startswith("g5.") for name in types)
    assert ("Other GPUs than the profile's in" in " ".join(recommend_profile(answers).reasons)) == (team != "startup")


@pytest.mark.parametrize("team", ["research", "production", "startup"])
def test_who_trains_on_cpus_pays_for_no_gpus(team: str) -> None:
    answers = {"goal": "production", "team": team, "workload": "tabular"}
    spec = platform(answers)
    assert not any(pool.has_gpus for pool in spec.pools.values())
    assert spec.karpenter_pools["cpu"].cpu_limit
    assert not spec.servers
    assert spec.accelerators is None
    assert any(reason.startswith("No GPUs for training") for reason in recommend_profile(answers).reasons)
    with_model = platform({**answers, "model": QWEN})
    (server,) = with_model.servers.values()
    assert [name for name, pool in with_model.pools.items() if pool.has_gpus] == [server.pool]


@pytest.mark.parametrize("team", ["production", "startup"])
def test_where_there_are_no_servers_a_reason_says_so_and_names_a_blueprint_that_serves_there(team: str) -> None:
    chosen = recommend_profile({"goal": "production", "team": team, "workload": "tabular"})
    (reason,) = (each for each in chosen.reasons if each.startswith("No servers"))
    named = re.search(r"through ONNX, .*: (blueprints/\S+)\.$", reason)
    assert named
    settings = {key: value for key, value in chosen.settings.items() if key != "profile"}
    on = record(find_stack(str(ROOT), team).with_settings(settings))
    found = run_checks(record(find_stack(str(ROOT / named[1]), team).on_platform(team), on))
    assert found.errors == ()


def test_who_has_servers_is_not_told_that_there_are_none() -> None:
    for answers in (
        {"goal": "production", "workload": "vision"},
        {"goal": "production", "workload": "tabular", "model": QWEN},
    ):
        assert not any(reason.startswith("No servers") for reason in recommend_profile(answers).reasons)


def test_a_server_that_cannot_serve_the_framework_is_left_out() -> None:
    assert {*platform({"goal": "production", "framework": "tensorflow"}).servers} == {"classifier", "vision"}
    assert {*platform({"goal": "production", "framework": "pytorch"}).servers} == {"vision"}
    assert {*platform({"goal": "research", "framework": "jax"}).servers} == {"chat"}


def test_a_large_team_has_notebooks_for_its_people_and_pays_for_those_in_use() -> None:
    few, many = platform({"goal": "research", "team_size": 8}), platform({"goal": "research", "team_size": 100})
    assert few.pools["notebooks"].kind == "managed"
    assert many.pools["notebooks"].gpu_limit == 13
    assert many.notebooks.active_servers > 40 > few.notebooks.active_servers
    assert many.notebooks.homes == 100


def test_who_must_show_what_was_done_keeps_records_for_long() -> None:
    spec = platform({"goal": "production", "budget": "minimal", "compliance": "high"})
    assert spec.cluster.log_retention_days == 365
    assert "api" in spec.cluster.log_types
    assert spec.mlflow.database.backup_retention_days == 35
    assert spec.schedule is None


def test_the_budget_of_a_profile_fails_nobody_who_did_not_set_it() -> None:
    answers = {"goal": "research", "team": "startup", "model": LLAMA, "revision": COMMIT}
    assert platform(answers).budget.on_exceed == "warn"
    assert platform({**answers, "monthly_usd": 800}).budget.on_exceed == "fail"
    assert "above which a preview warns" in recommend_profile(answers).reasons[-1]
    assert platform({"goal": "research", "team": "startup"}).budget.on_exceed == "fail"
    for more in ({"training_gpus": 64}, {"notebooks": True, "team_size": 300}):
        assert platform({"goal": "research", "team": "startup", **more}).budget.on_exceed == "warn"


def test_what_would_change_the_platform_does() -> None:
    answers: dict[str, Any] = {"goal": "production", "team_size": 20}
    now = platform_tools(ProfileAnswers(**answers)).names
    changes = recommend_profile(answers).changes
    assert {change.requirement for change in changes} == {"goal", "workload", "budget", "team_size"}
    for change in changes:
        other = platform_tools(ProfileAnswers(**{**answers, change.requirement: change.value})).names
        assert change.best == tuple(tool for tool in other if tool not in now)


@pytest.mark.parametrize("team", ["research", "production", "startup"])
def test_a_model_to_serve_is_a_language_model_to_train(team: str) -> None:
    answers = {"goal": "production", "team": team, "model": QWEN}
    choice = recommend_profile(answers)
    assert choice.reasons[1] == "PyTorch: language models are published for it, and vLLM serves them."
    assert choice.settings == recommend_profile({**answers, "workload": "language_model"}).settings
    assert not {"model", "framework"} & {change.requirement for change in choice.changes}


@pytest.mark.parametrize("team", ["research", "production", "startup"])
def test_who_trains_nothing_pays_for_what_serves_alone(team: str) -> None:
    answers = {"goal": "production", "team": team, "model": QWEN}
    choice = recommend_profile({**answers, "training_gpus": 0})
    spec = platform_spec(choice.settings, region="us-west-2", name="lab")
    (server,) = spec.servers.values()
    kept = {server.pool, *(spec.notebooks.pools if spec.notebooks else ())}
    assert all(name in kept for name, pool in spec.pools.items() if pool.has_gpus)
    assert "training" not in spec.settings()
    assert all(server.pool in team.quotas for team in spec.teams.values())
    assert not any(" for training: " in reason for reason in choice.reasons)
    assert any("training_gpus is 0" in reason for reason in choice.reasons)
    changes = {change.requirement: change for change in recommend_profile(answers).changes}
    assert (changes["training_gpus"].value, changes["training_gpus"].best) == (0, ("nothing for training",))


def test_who_trains_on_cpus_cannot_say_that_nothing_is_trained() -> None:
    with pytest.raises(SpecError, match="training_gpus: given, but has no effect with scikit-learn"):
        recommend_profile({"goal": "production", "workload": "tabular", "training_gpus": 0})


def test_who_trains_on_cpus_has_no_operator_that_cannot_train_it_and_is_told_why() -> None:
    answers = {"goal": "production", "workload": "tabular"}
    assert "training" not in platform(answers).settings()
    because = "production teams take Kubeflow training operator, but it trains pytorch, tensorflow, jax or keras, not"
    assert any(because in reason for reason in recommend_profile(answers).reasons)
    assert platform({**answers, "goal": "research"}).settings()["training"].keys() == {"kubeRay"}
    by_operator = {"goal": "production", "framework": "tensorflow"}
    assert "trainingOperator" in platform(by_operator).settings()["training"]
    assert not any("teams take it, but" in reason for reason in recommend_profile(by_operator).reasons)


def test_speed_of_deep_learning_is_that_on_the_gpus_of_the_platform() -> None:
    choice = recommend_profile({"goal": "performance", "workload": "deep_learning"})
    assert choice.framework
    assert set(choice.framework.ties) == {"jax", "pytorch"}
    assert any(reason == "PyTorch: it compiles for GPUs (a tie with JAX)." for reason in choice.reasons)
    assert recommend_profile({"goal": "performance", "workload": "simulation"}).framework == [
        *recommend_framework({"goal": "performance", "workload": "simulation", "hardware": "gpu"})
    ]


def test_strict_compliance_is_said_to_keep_records() -> None:
    kept = "Logs of a year, backups of 35 days, and a cluster that is not deleted by mistake: compliance is high."
    assert kept in recommend_profile({"goal": "research", "compliance": "high"}).reasons
    assert kept not in recommend_profile({"goal": "research", "compliance": "medium"}).reasons


def test_how_many_servers_there_are_is_said_where_there_are_several() -> None:
    several = "2 such servers at least, 4 at most, each of which holds them all."
    assert several in recommend_profile({"goal": "production", "model": QWEN}).reasons
    assert not any("such servers" in each for each in recommend_profile({"goal": "research", "model": QWEN}).reasons)


def test_boosted_trees_have_cpus_until_gpus_are_asked_for() -> None:
    answers = {"goal": "production", "framework": "xgboost"}
    assert not any(pool.has_gpus for pool in platform(answers).pools.values())
    assert any(reason.endswith("training_gpus asks for GPUs.") for reason in recommend_profile(answers).reasons)
    with_gpus = platform({**answers, "training_gpus": 4})
    assert with_gpus.karpenter_pools["burst"].gpu_limit == 4
    with pytest.raises(SpecError, match="training_gpus: 0 given, but xgboost is trained on CPUs"):
        recommend_profile({**answers, "training_gpus": 0})


def test_a_region_without_gpus_will_do_for_tables() -> None:
    assert platform({"goal": "production", "workload": "tabular", "region": "ap-southeast-1"})


def test_what_fits_barely_is_said_to_and_what_serves_more_is_named() -> None:
    startup = recommend_profile({"goal": "production", "team": "startup", "model": QWEN}).reasons
    # 22.06 GiB less 14.18 of weights and 1.75 of cache.
    barely = (
        "but barely: beside weights and cache it takes 3.6 to 7.0 GiB of the GPU, and 6.1 are left; 3 requests surely "
        "fit there, all surely on g6e.xlarge, 1.86 USD/h."
    )
    assert any(reason.endswith(barely) for reason in startup)
    assert any("vLLM would hold" in reason and "servers.language-model.kind: vllm" in reason for reason in startup)
    research = recommend_profile({"goal": "research", "model": QWEN}).reasons
    assert not any("barely" in reason or "vLLM would" in reason for reason in research)


def test_the_engine_that_is_named_can_be_taken() -> None:
    settings = dict(recommend_profile({"goal": "production", "team": "startup", "model": QWEN}).settings)
    server = {**settings["servers"]["language-model"], "kind": "vllm"}
    changed = {**settings, "servers": {**settings["servers"], "language-model": server}}
    assert platform_spec(changed, region="us-west-2", name="lab").servers["language-model"].kind == "vllm"


def test_models_that_need_a_revision_are_marked_in_the_list() -> None:
    with pytest.raises(SpecError, match=rf"{QWEN}, .*{COMMAND} \(with its revision\)"):
        recommend_profile({"goal": "research", "model": "gpt-7"})


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
