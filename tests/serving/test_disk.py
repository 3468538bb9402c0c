"""Weights from the hub are on a node's disk, so pods go where it holds them."""

from typing import Any

from eksml.plan import Plan
from eksml.serving.model_source import HubSource
from eksml.storage.volumes import ClaimVolume
from serving.model_servers import QWEN, SMALL, pod_of, server


def resources(plan: Plan, kind: str = "vllm") -> dict[str, Any]:
    return pod_of(plan, kind)["containers"][0]["resources"]


def test_a_pod_asks_for_the_disk_that_its_weights_take() -> None:
    # 15.2 GB are 14.2 GiB; a tenth for what is beside them, and 5 GiB for the rest.
    assert resources(server("vllm"))["requests"]["ephemeral-storage"] == "21Gi"


def test_a_guess_does_not_end_it() -> None:
    found = resources(server("vllm"))
    assert "ephemeral-storage" not in found["limits"]
    assert {key: value for key, value in found["requests"].items() if key != "ephemeral-storage"} == found["limits"]


def test_weights_on_a_volume_take_none_of_it() -> None:
    cached = HubSource(model=QWEN.model, cache=ClaimVolume(claim="weights"))
    for plan in (server("vllm", source=cached), server("vllm", source={"kind": "s3", "prefix": "models/"})):
        assert "ephemeral-storage" not in resources(plan)["requests"]


def test_of_a_model_that_nobody_knows_nothing_is_guessed() -> None:
    source = HubSource(model="example/unknown", revision=SMALL.revision or "")
    assert "ephemeral-storage" not in resources(server("transformers", source=source), "transformers")["requests"]
