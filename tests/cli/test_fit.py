"""`eksml fit` and `eksml fit-training`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from command import check_refused, eksml
from eksml.serving.model_source import HubSource
from eksml.serving.transformers_server import TransformersServerSpec
from eksml.sizing import fit, known_gpus, shape_of
from hub_configs import HUB_CONFIGS
from serving.model_servers import spec_of

QWEN = "Qwen/Qwen2.5-7B-Instruct"


def test_it_names_the_cheapest_instance_and_what_it_holds() -> None:
    done = eksml("fit", QWEN, "--context", "16384", "--concurrency", "2")
    assert (done.returncode, done.stderr) == (0, "")
    heading, _, columns, first, *rest = done.stdout.splitlines()
    assert heading == f"{QWEN} can be served on, cheapest first:"
    assert columns.split() == ["instance", "GPUs", "for", "it", "GiB", "USD/h", "tokens", "requests"]
    assert first.startswith("g6.xlarge")
    assert len(rest) > 5
    assert "USD/h: of the whole instance in us-west-2, on demand." in rest


@pytest.mark.parametrize(
    "arguments",
    [
        ("fit", "google/gemma-3-27b-it"),
        ("fit", "openai-community/gpt2"),
        ("fit", "HuggingFaceTB/SmolLM2-135M-Instruct", "--context", "128"),
        ("fit-training", "meta-llama/Llama-3.3-70B-Instruct", "--tokens", "15e12"),
        ("fit-training", "Qwen/Qwen3-8B", "--method", "lora"),
    ],
)
def test_a_table_fits_eighty_columns(arguments: tuple[str, ...]) -> None:
    lines = eksml(*arguments).stdout.splitlines()
    assert len(lines) > 10
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("fit", QWEN, "--instance", "g7e.48xlarge"),
        ("fit", "google/gemma-3-27b-it", "--instance", "p6-b300.48xlarge"),
        ("fit", "meta-llama/Llama-3.1-8B-Instruct", "--instance", "g6.2xlarge"),
        ("fit", "deepseek-ai/DeepSeek-V3", "--precision", "float32"),
        ("fit-training", "meta-llama/Llama-3.3-70B-Instruct", "--tokens", "15e12", "--instance", "p6-b300.48xlarge"),
        ("fit-training", "deepseek-ai/DeepSeek-V3", "--instance", "g6.xlarge"),
    ],
)
def test_what_an_answer_rests_on_and_why_there_is_none_fits_eighty_columns(arguments: tuple[str, ...]) -> None:
    done = eksml(*arguments)
    lines = (done.stdout + done.stderr).splitlines()
    assert len(lines) > 1
    assert [line for line in lines if len(line) > 80] == []


def test_what_goes_on_in_another_line_is_indented() -> None:
    lines = eksml("fit", QWEN, "--instance", "g6.2xlarge", "--context", "16384").stdout.splitlines()
    assert next(line for line in lines if "overhead:" in line).startswith("  overhead: 2.0 GiB")
    assert lines[-1].startswith("    ")


def test_some_gpus_of_an_instance_are_told_from_all_of_them() -> None:
    shown = eksml("fit", QWEN, "--context", "16384").stdout
    assert "1 × L4 " in shown
    assert "1 of 8 × H200 " in shown
    assert "of: the other GPUs are paid for too, and left for other servers." in shown
    assert "of: " not in eksml("fit", QWEN, "--context", "16384", "--instance", "g6.2xlarge").stdout


def test_one_instance_is_explained() -> None:
    done = eksml("fit", QWEN, "--instance", "g6.2xlarge", "--context", "16384")
    assert "weights: 14.2 GiB, 7.62 billion parameters in bfloat16 on one GPU" in done.stdout


def test_what_does_not_fit_says_what_would_and_ends_with_1() -> None:
    done = eksml("fit", "meta-llama/Llama-3.1-8B-Instruct", "--instance", "g6.2xlarge")
    assert done.returncode == 1
    assert "on 1 GPU of g6.2xlarge: does not fit" in done.stderr
    assert "it fits with contextLength" in done.stderr


def test_a_config_file_is_as_good_as_a_name(tmp_path: Path) -> None:
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "num_hidden_layers": 32,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
        "max_position_embeddings": 131072,
        "torch_dtype": "bfloat16",
        "tie_word_embeddings": False,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    by_file = json.loads(eksml("fit", str(tmp_path / "config.json"), "--context", "8192", "--json").stdout)
    by_folder = json.loads(eksml("fit", str(tmp_path), "--context", "8192", "--json").stdout)
    by_name = json.loads(eksml("fit", "meta-llama/Llama-3.1-8B-Instruct", "--context", "8192", "--json").stdout)
    names = [[each["instance"] for each in answer["instances"]] for answer in (by_file, by_folder, by_name)]
    assert names[0] == names[1] == names[2]


def test_what_sees_images_is_counted_and_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(HUB_CONFIGS["Qwen2.5-VL 7B"].config))
    shown = eksml("fit", str(tmp_path), "--context", "8192", "--instance", "g6.2xlarge").stdout
    told = "weights: 15.4 GiB, 8.29 billion parameters in bfloat16 on one GPU; 0.67 billion of them see images"
    assert told in " ".join(shown.split())
    everywhere = eksml("fit", str(tmp_path), "--context", "8192").stdout.splitlines()
    assert "images: 0.67 of 8.29 billion parameters see them; what encoding them takes" in everywhere
    assert [line for line in everywhere[1:] if len(line) > 80] == []


def test_training_has_nodes_hours_and_dollars() -> None:
    done = eksml("fit-training", "meta-llama/Llama-3.1-8B-Instruct", "--method", "qlora", "--tokens", "1e8", "--json")
    first = json.loads(done.stdout)["instances"][0]
    assert first["nodes"] == 1
    low, expected, high = first["usd"]
    assert 0 < low < expected < high
    shown = eksml("fit-training", "meta-llama/Llama-3.1-8B-Instruct", "--tokens", "1e9").stdout
    assert "1 × p5.48xlarge" in shown


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("README.md",), "README.md: not JSON: it must be the config.json"),
        (("missing.json",), "missing.json: No such file"),
        (("pyproject.toml",), "pyproject.toml: not JSON"),
        (("stacks",), "stacks/config.json: No such file"),
        ((QWEN, "--region", "mars"), "region: mars has no prices in the catalog"),
        ((QWEN, "--precision", "fp7"), "precision: fp7 is not known"),
        ((QWEN, "--context", "-1"), "context_length: -1 given, must be at least 1"),
        ((QWEN, "--context", "200000"), "context_length: 200000 given, the model takes at most 32768"),
        ((QWEN, "--gpu-memory-utilization", "2"), "gpu_memory_utilization: 2.0 given, must be above 0 and at most 1"),
        ((QWEN, "--concurrency", "0"), "concurrency: 0 given, must be at least 1"),
        ((QWEN, "--context", "1.5"), "context: '1.5' given, must be a whole number"),
        ((QWEN, "--engine", "vlm"), "engine: 'vlm' is not one of 'vllm', 'transformers'"),
        ((QWEN, "--instance", "m7i.large"), "instance: m7i.large has no GPU"),
        (("microsoft/resnet-50", "--context", "512"), "context_length: 512 given, the model is no transformer"),
        ((QWEN, "--engine", "transformers", "--max-num-seqs", "8"), "max_num_seqs: 8 given, the engine has no such"),
    ],
)
def test_bad_input_is_refused(arguments: tuple[str, ...], text: str) -> None:
    check_refused(eksml("fit", *arguments), text)


def test_a_model_that_is_not_known_is_answered_with_how_any_can_be_given() -> None:
    check_refused(eksml("fit", "nope"), "nope: not in the catalog of models", "any other model is given by the path of")


def test_what_is_no_config_of_a_language_model_is_told_first(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"name": "x"}')
    missing = [f"{file}: {name}: missing" for name in ("num_hidden_layers", "hidden_size", "num_attention_heads")]
    beginnings = (f"{file}: no config.json of a language model: it has no model_type", *missing)
    more = (f"{file}: vocab_size: missing", f"{file}: max_position_embeddings: missing")
    check_refused(eksml("fit", str(file)), *beginnings, *more)


def test_training_without_tokens_has_the_price_of_an_hour() -> None:
    done = eksml("fit-training", "meta-llama/Llama-3.1-8B-Instruct")
    _, _, columns, *rest = done.stdout.splitlines()
    assert columns.split() == ["instances", "GPU", "GiB", "USD/h"]
    assert next(line for line in rest if "p5.48xlarge" in line).split()[-1] == "55.04"
    assert next(line for line in rest if "8 × g5.xlarge" in line).split()[-1] == "8.05"
    assert "USD/h: of all nodes in us-west-2, on demand; --tokens gives hours and USD." in rest
    prices = [float(row.split()[-1]) for row in rest[: rest.index("")]]
    assert prices == sorted(prices)


def test_a_gpu_whose_peak_no_source_gives_has_no_time_and_no_price() -> None:
    shown = eksml("fit-training", "Qwen/Qwen3-8B", "--method", "lora", "--tokens", "1e8").stdout
    assert "-: no source gives the peak of the RTX PRO 4500, so no time and price." in shown


def test_hours_of_experts_that_are_gathered_are_said_not_to_compare() -> None:
    deepseek = ("fit-training", "deepseek-ai/DeepSeek-V3", "--tokens", "1e12", "--instance", "p5.48xlarge")
    gathered = " ".join(eksml(*deepseek).stdout.split())
    assert "network: some of the nodes exchange for longer than they calculate; a larger --micro-batch" in gathered
    assert "experts: here zero3 exchanges all of them." in gathered
    assert "their hours do not compare: --expert-parallel counts it so." in gathered
    options = ("--expert-parallel", "64", "--micro-batch", "4", "--sequence-length", "4096")
    divided = eksml(*deepseek, *options).stdout
    assert "experts:" not in divided
    assert "64 × p5.48xlarge" in divided


def test_an_option_without_effect_is_refused() -> None:
    check_refused(eksml("fit-training", QWEN, "--lora-rank", "64"), "lora_rank: 64 given, only lora and qlora have")
    assert eksml("fit-training", QWEN, "--lora-rank", "64", "--method", "lora").returncode == 0
    of_no_time = ("fit-training", QWEN, "--sharding", "zero1", "--accumulation", "4")
    check_refused(eksml(*of_no_time), "accumulation: 4 given, only a time depends on it: give tokens too")
    check_refused(eksml("fit-training", QWEN, "--accumulation", "4"), "accumulation: 4 given, with zero3 GPUs exchange")
    check_refused(eksml("fit-training", QWEN, "--expert-parallel", "4"), "expert_parallel: 4 given, the model has no")
    check_refused(eksml("fit-training", QWEN, "--utilization", "0.4"), "utilization: 0.4 given, only a time has one")


def test_bad_numbers_of_training_are_refused() -> None:
    check_refused(eksml("fit-training", QWEN, "--tokens", "$5"), "tokens: '$5' given, must be a number")
    check_refused(eksml("fit-training", QWEN, "--tokens", "-5"), "tokens: -5.0 given, must be above 0")
    check_refused(eksml("fit-training", QWEN, "--tokens", "0"), "tokens: 0.0 given, must be above 0")
    check_refused(eksml("fit-training", QWEN, "--tokens", "nan"), "tokens: nan given, must be a number")
    check_refused(eksml("fit-training", QWEN, "--tensor-parallel", "0"), "tensor_parallel: 0 given, must be at least 1")


def test_it_loads_no_sdk_of_a_provider() -> None:
    program = (
        "import sys; from eksml.cli.main import app; app(sys.argv[1:], standalone_mode=False);"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('pulumi', 'pulumi_aws', 'boto3')))"
    )
    done = subprocess.run([sys.executable, "-c", program, "fit", QWEN], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


ON_ONE = ("fit", QWEN, "--context", "8192", "--instance", "g6.xlarge")


def test_what_no_node_holds_is_served_over_several() -> None:
    shown = eksml("fit", "deepseek-ai/DeepSeek-V3", "--instance", "p5.48xlarge").stdout
    row = next(line for line in shown.splitlines() if "p5.48xlarge" in line)
    assert row.startswith("2 × p5.48xlarge  16 × H100")
    assert "110.08" in row
    assert "USD/h: of all nodes in us-west-2, on demand." in shown
    assert "nodes: no single one holds it, so its layers are divided among them" in shown
    done = eksml("fit", "deepseek-ai/DeepSeek-V3", "--instance", "p5.48xlarge", "--json")
    (only,) = json.loads(done.stdout)["instances"]
    assert (only["nodes"], only["gpus"], only["tensorParallel"], only["pipelineParallel"]) == (2, 16, 8, 2)
    measured = eksml("fit", "deepseek-ai/DeepSeek-V3", "--instance", "p5.48xlarge", "--tokens-per-second", "1000")
    # 110.08 USD an hour, of both nodes, by 3.6 million tokens.
    assert "A million tokens: 30.6 USD at 1,000 a second." in measured.stdout


def test_what_one_gpu_does_not_hold_of_an_engine_that_takes_no_more_is_said() -> None:
    done = eksml("fit", "deepseek-ai/DeepSeek-V3", "--engine", "transformers")
    assert done.returncode == 1
    assert "does not fit on one GPU, and this engine takes no more" in " ".join(
        line.removeprefix("eksml:").strip() for line in done.stderr.splitlines()
    )


def test_what_was_measured_on_an_instance_gives_the_price_of_tokens_and_requests() -> None:
    done = eksml(*ON_ONE, "--tokens-per-second", "700", "--requests-per-hour", "10000")
    # 0.8048 USD an hour: by 2,520,000 tokens, and by 10,000 requests.
    assert "A million tokens: 0.319 USD at 700 a second." in done.stdout
    assert "A thousand requests: 0.0805 USD at 10,000 an hour." in done.stdout
    content = json.loads(eksml(*ON_ONE, "--tokens-per-second", "700", "--json").stdout)
    assert content["usdPerMillionTokens"] == pytest.approx(0.8048 / (700 * 3600) * 1e6)
    assert content["usdPerThousandRequests"] is None


def test_nobody_who_asks_has_no_price_of_a_request() -> None:
    assert "A thousand requests: not applicable, there are none." in eksml(*ON_ONE, "--requests-per-hour", "0").stdout


def test_what_was_measured_is_of_one_instance_type_and_not_negative() -> None:
    check_refused(
        eksml("fit", QWEN, "--tokens-per-second", "700"), "--tokens-per-second, --requests-per-hour: of which"
    )
    check_refused(eksml(*ON_ONE, "--tokens-per-second", "-1"), "tokens_per_second: -1.0 given, must be at least 0")


def test_transformers_takes_what_a_server_of_a_stack_takes_of_a_quantised_model() -> None:
    model = "openai/gpt-oss-20b"
    found = json.loads(eksml("fit", model, "--engine", "transformers", "--context", "8192", "--json").stdout)[
        "instances"
    ]
    on, gpu = found[0]["instance"], next(each for each in known_gpus() if each.title == found[0]["gpu"])
    settings = {"source": HubSource(model=model), "context_length": 8192, "instance_type": on, "pool": None}
    spec: TransformersServerSpec = spec_of("transformers", **settings)
    assert found[0]["weightsGib"] == round(fit(shape_of(model), spec.serving(gpu)).weights_gib, 2) > 38
    # As its servers do, it has the model whole on one GPU.
    assert {each["gpus"] for each in found} == {1}


def test_a_price_that_is_not_known_is_explained() -> None:
    for command in (("fit", QWEN), ("fit-training", QWEN, "--method", "lora")):
        done = eksml(*command, "--region", "ap-northeast-1")
        assert "unknown: the catalog has no price of it there; the fewest GPUs come first." in done.stdout
        assert "unknown" not in eksml(*command).stdout


def test_a_model_that_is_none_of_text_is_said_to_be_served_by_another_engine() -> None:
    assert "NVIDIA Triton serves this one" in " ".join(eksml("fit", "microsoft/resnet-50").stdout.split())
    assert "Triton" not in eksml("fit", QWEN).stdout
