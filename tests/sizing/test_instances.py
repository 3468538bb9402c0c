"""Which instances are found for a model."""

from itertools import pairwise

import pytest

from eksml.catalog import models
from eksml.errors import InputError
from eksml.sizing import GpuMemory, Method, Serving, Training, serving_instances, training_instances

ANY = GpuMemory("any GPU", 0.0)
LLAMA = models()["meta-llama/Llama-3.1-8B-Instruct"]


def test_the_cheapest_instance_is_first_and_each_gpu_stands_once() -> None:
    found = serving_instances(LLAMA, Serving(gpu=ANY, context_length=8192), "us-west-2")
    prices = [each.usd_per_hour for each in found if each.usd_per_hour is not None]
    assert found[0].name == "g6.xlarge"
    assert all(one <= other for one, other in pairwise(prices))
    groups = [(each.fitted.serving.gpu.title, each.fitted.serving.tensor_parallel) for each in found]
    assert len(set(groups)) == len(groups)
    assert all(each.fitted.fits for each in found)


def test_no_more_gpus_are_taken_than_it_needs() -> None:
    large = models()["meta-llama/Llama-3.3-70B-Instruct"]
    found = {each.name: each for each in serving_instances(large, Serving(gpu=ANY, context_length=8192), "us-west-2")}
    assert found["p5.48xlarge"].fitted.serving.tensor_parallel == 2
    assert not {"g6.xlarge", "g6.12xlarge"} & set(found)


def test_training_takes_as_few_nodes_as_hold_the_model() -> None:
    found = {each.name: each for each in training_instances(LLAMA, Training(gpu=ANY), "us-west-2", tokens=1e9)}
    assert found["p5.48xlarge"].nodes == 1
    assert found["g6.xlarge"].nodes > 4
    usd, hours = found["p5.48xlarge"].usd, found["p5.48xlarge"].run
    assert usd is not None
    assert hours is not None
    assert usd.expected == pytest.approx(55.04 * hours.hours.expected)


def test_without_tokens_there_is_no_time_and_no_price() -> None:
    first = training_instances(LLAMA, Training(gpu=ANY, method=Method.LORA), "us-west-2")[0]
    assert first.run is None
    assert first.usd is None


def test_tensor_parallelism_stays_within_a_node() -> None:
    found = training_instances(LLAMA, Training(gpu=ANY, gpus=8, tensor_parallel=8), "us-west-2")
    assert {each.fitted.training.gpus % 8 for each in found} == {0}
    assert not any(each.name.endswith(".xlarge") for each in found)


@pytest.mark.parametrize(
    ("region", "only", "text"),
    [
        ("mars-north-1", None, "region: mars-north-1 has no prices in the catalog"),
        ("us-west-2", "g6.xlarg", "did you mean 'g6.xlarge'?"),
        ("us-west-2", "g4dn.xlarge", "no type with whole GPUs from compute capability 8"),
        ("us-west-2", "m7i.xlarge", "no type with whole GPUs"),
    ],
)
def test_what_cannot_be_had_is_refused(region: str, only: str | None, text: str) -> None:
    with pytest.raises(InputError, match=text.replace("?", r"\?")):
        serving_instances(LLAMA, Serving(gpu=ANY), region, only=only)
