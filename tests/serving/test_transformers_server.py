"""The Transformers server: its arguments, and what is refused."""

import re
from typing import Any

import pytest

from eksml.catalog import engines, images
from eksml.errors import SpecError
from eksml.serving.model_source import ClaimSource
from serving.model_servers import QWEN, environment, pod_of, server, spec_of


def container(**settings: Any) -> dict[str, Any]:
    return pod_of(server("transformers", **settings), "transformers")["containers"][0]


def test_nothing_is_installed_when_a_pod_starts() -> None:
    found = container()
    assert found["command"] == ["python3", "-m", "huggingfaceserver"]
    assert "pip" not in str(found)
    # vLLM, which it would take by itself, has its own engine.
    assert "--backend=huggingface" in found["args"]


def test_the_model_is_that_of_the_hub_at_its_commit_or_of_a_folder() -> None:
    assert {f"--model_id={QWEN.model}", f"--model_revision={QWEN.revision}"} <= set(container(source=QWEN)["args"])
    of_claim = {"source": ClaimSource(claim="weights")}
    assert "--model_dir=/models" in container(**of_claim)["args"]
    assert environment(server("transformers", **of_claim), "transformers")["HF_HUB_OFFLINE"] == "1"


def test_its_settings_are_those_of_the_spec() -> None:
    given = container(source=QWEN, task="text_generation", precision="float16", context_length=2048)["args"]
    assert {"--task=text_generation", "--dtype=float16", "--max_model_len=2048"} <= set(given)


@pytest.mark.parametrize(
    ("settings", "path"), [({"source": QWEN}, "/openai/v1/completions"), ({}, "/v1/models/chat:predict")]
)
def test_it_is_warmed_up_by_what_its_model_does(settings: dict[str, Any], path: str) -> None:
    command = pod_of(server("transformers", **settings), "transformers")["containers"][1]["command"]
    assert command[command.index("--path") + 1] == path


def test_on_cpus_it_runs_in_the_image_for_cpus() -> None:
    of_cpus = images()[engines()["transformers"].cpu_image or ""].reference
    assert container(gpus_per_node=0, instance_type="m7i.2xlarge", pool=None)["image"] == of_cpus


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"batching": {"max_requests": 2}}, "batching: given, but has no effect with Transformers"),
        ({"source": QWEN, "instance_type": "g4dn.2xlarge"}, "source.model: Qwen/Qwen2.5-7B-Instruct"),
    ],
)
def test_what_it_cannot_do_is_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError, match=re.escape(problem)):
        spec_of("transformers", **settings)
