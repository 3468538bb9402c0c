"""What every server refuses, whatever its engine."""

from typing import Any

import pytest

from eksml.errors import SpecError
from eksml.serving.model_source import BucketSource, HubSource
from eksml.serving.populate import Populate
from eksml.serving.vllm_server import VllmServerSpec
from eksml.spec import parse
from refusals import check_problems
from serving.model_servers import KINDS, pod_of, server, spec_of


def refused(kind: str, **settings: Any) -> list[str]:
    with pytest.raises(SpecError) as error:
        spec_of(kind, **settings)
    return str(error.value).splitlines()


def test_what_must_stay_secret_is_no_environment() -> None:
    check_problems(refused("vllm", environment={"VLLM_API_KEY": "x"}), ["environment.VLLM_API_KEY: given, but it is a"])


def test_a_bucket_is_filled_where_the_team_may_write() -> None:
    source = BucketSource(prefix="models/qwen/", model="Qwen/Qwen2.5-7B-Instruct", populate=Populate())
    check_problems(
        refused("vllm", source=source), ["source.prefix: 'models/qwen/' given, must begin with teams/vision/"]
    )


@pytest.mark.parametrize("kind", ["tensorflowServing", "triton", "openVino"])
def test_a_repository_is_not_the_folder_of_a_version(kind: str) -> None:
    source = BucketSource(prefix="teams/vision/models/resnet/1/")
    check_problems(refused(kind, source=source), ["source.prefix: 'teams/vision/models/resnet/1/' given, must be the"])


@pytest.mark.parametrize(
    ("kind", "argument", "place"),
    [
        ("vllm", "--port=9000", "the catalog"),
        ("vllm", "--max_model_len=999999", "contextLength"),
        ("vllm", "-tp=8", "tensorParallel"),
        ("triton", "--http-port=9", "the catalog"),
        ("openVino", "--rest-port=9", "the catalog"),
    ],
)
def test_an_argument_says_nothing_that_is_said_elsewhere(kind: str, argument: str, place: str) -> None:
    check_problems(refused(kind, arguments=(argument,)), [f"arguments[0]: '{argument}' given, but {place} says it"])


def test_a_quantisation_that_the_checkpoint_does_not_have_is_refused() -> None:
    check_problems(refused("vllm", quantization="awq"), ["quantization: awq given, but Qwen/Qwen2.5-7B-Instruct is"])
    assert spec_of("vllm", quantization="fp8")


def test_names_of_models_fit_into_addresses() -> None:
    check_problems(refused("vllm", served_name="日本語"), ["served_name: '日本語' given, must be a name of letters"])


def test_a_path_leads_downwards() -> None:
    data = {"kind": "claim", "claim": "models", "path": "a/../../x"}
    with pytest.raises(SpecError, match=r"source\.path: 'a/\.\./\.\./x' given, must lead downwards"):
        parse(VllmServerSpec, {"kind": "vllm", "namespace": "a", "gpusPerNode": 1, "accelerator": "L4", "source": data})


@pytest.mark.parametrize("wrong", [{"bar": "foo"}, {"model": "foo"}, {"path": "../x"}])
def test_a_field_that_is_called_like_its_kind_hides_no_mistake(wrong: dict[str, str]) -> None:
    source = {"kind": "claim", "claim": "models", **wrong}
    (key,) = wrong
    with pytest.raises(SpecError, match=rf"^source\.{key}: "):
        parse(
            VllmServerSpec, {"kind": "vllm", "namespace": "a", "gpusPerNode": 1, "accelerator": "L4", "source": source}
        )


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_of_the_hub_is_served_at_its_commit(kind: str) -> None:
    source = HubSource(model="Qwen/Qwen2.5-7B-Instruct")
    if not isinstance(KINDS[kind].own["source"], HubSource):
        return
    assert source.commit in str(server(kind, source=source, context_length=8192).resources)


@pytest.mark.parametrize("kind", ["vllm", "triton"])
def test_all_of_a_pod_is_ready_until_its_requests_have_ended(kind: str) -> None:
    containers = pod_of(server(kind, drain_seconds=45), kind)["containers"]
    assert [each["lifecycle"]["preStop"]["sleep"]["seconds"] for each in containers] == [45, 45]


def test_weights_have_room_in_the_memory_of_a_pod_without_gpus() -> None:
    settings = {"source": HubSource(model="Qwen/Qwen2.5-7B-Instruct"), "gpus_per_node": 0, "instance_type": None}
    line = "memoryGibPerNode: 8 GiB, but the weights of Qwen/Qwen2.5-7B-Instruct alone take 14.2"
    small: dict[str, Any] = {**settings, "cpus_per_node": 4, "memory_gib_per_node": 8}
    check_problems(refused("transformers", **small), [line])
    assert spec_of("transformers", **{**small, "memory_gib_per_node": 32})
