"""`eksml fit` and `eksml fit-training`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from command import check_refused, eksml

QWEN = "Qwen/Qwen2.5-7B-Instruct"


def test_it_names_the_cheapest_instance_and_what_it_holds() -> None:
    done = eksml("fit", QWEN, "--context", "16384", "--concurrency", "2")
    assert (done.returncode, done.stderr) == (0, "")
    heading, _, columns, first, *rest = done.stdout.splitlines()
    assert heading == f"{QWEN} can be served on, cheapest first (us-west-2, on demand):"
    assert columns.split()[0] == "instance"
    assert first.startswith("g6.xlarge")
    assert len(rest) > 5
    assert max(map(len, done.stdout.splitlines())) <= 100


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
        (("nope",), "nope: not in the catalog of models"),
        (("README.md",), "README.md: not JSON: it must be the config.json"),
        (("missing.json",), "missing.json: No such file"),
        (("pyproject.toml",), "pyproject.toml: not JSON"),
        (("stacks",), "stacks/config.json: No such file"),
        ((QWEN, "--region", "mars"), "region: mars has no prices in the catalog"),
        ((QWEN, "--precision", "fp7"), "precision: fp7 is not known"),
        ((QWEN, "--context", "-1"), "context_length: -1 given, must be at least 1"),
        ((QWEN, "--concurrency", "0"), "concurrency: 0 given, must be at least 1"),
    ],
)
def test_bad_input_is_refused(arguments: tuple[str, ...], text: str) -> None:
    check_refused(eksml("fit", *arguments), text)


def test_bad_numbers_of_training_are_refused() -> None:
    check_refused(eksml("fit-training", QWEN, "--tokens", "-5"), "tokens: -5.0 given, must be above 0")
    check_refused(eksml("fit-training", QWEN, "--tensor-parallel", "0"), "tensor_parallel: 0 given, must be at least 1")


def test_it_loads_no_sdk_of_a_provider() -> None:
    program = (
        "import sys; from eksml.cli.main import app; app(sys.argv[1:], standalone_mode=False);"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('pulumi', 'pulumi_aws', 'boto3')))"
    )
    done = subprocess.run([sys.executable, "-c", program, "fit", QWEN], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
