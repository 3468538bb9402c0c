"""Which instances are found for a model."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from eksml.catalog import inference_engines, instance_types, models
from eksml.errors import InputError
from eksml.sizing import GpuMemory, Method, Serving, Training, fit, memory, serving_instances, training_instances

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


def test_where_one_gpu_holds_it_barely_two_of_the_same_node_are_there_too() -> None:
    qwen = models()["Qwen/Qwen2.5-7B-Instruct"]
    found = serving_instances(
        qwen, Serving(gpu=ANY, context_length=8192, concurrency=9), "us-west-2", only="g6.12xlarge"
    )
    assert [(each.fitted.serving.tensor_parallel, each.fitted.is_certain) for each in found] == [(1, False), (2, True)]


def test_no_more_gpus_are_taken_than_it_needs() -> None:
    large = models()["meta-llama/Llama-3.3-70B-Instruct"]
    found = serving_instances(large, Serving(gpu=ANY, context_length=8192), "us-west-2")
    on_p5 = [each.fitted for each in found if each.name == "p5.48xlarge"]
    # Two hold it barely, four surely.
    assert [(each.serving.tensor_parallel, each.is_certain) for each in on_p5] == [(2, False), (4, True)]
    assert not {"g6.xlarge", "g6.12xlarge"} & {each.name for each in found}


DEEPSEEK = models()["deepseek-ai/DeepSeek-V3"]


def test_what_no_node_holds_is_served_by_as_few_nodes_as_do() -> None:
    # 671 billion parameters in 32 bit are 2,500 GiB, and the largest node shows 8 × 275.
    found = serving_instances(DEEPSEEK, Serving(gpu=ANY, precision="float32", context_length=8192), "us-west-2")
    assert min(each.nodes for each in found) == 2
    for each in found:
        how = each.fitted.serving
        assert (how.tensor_parallel, how.pipeline_parallel) == (each.gpus, each.nodes)
        if each.nodes > 2:
            assert not fit(DEEPSEEK, replace(how, pipeline_parallel=each.nodes - 1)).fits
        one = instance_types()[each.name].on_demand_usd_per_hour.get("us-west-2")
        assert each.usd_per_hour == (one.usd * each.nodes if one and one.usd else None)
    assert {each.nodes for each in serving_instances(DEEPSEEK, Serving(gpu=ANY), "us-west-2")} == {1}


def test_one_type_that_holds_the_model_but_not_the_context_takes_no_more_nodes() -> None:
    assert not serving_instances(LLAMA, Serving(gpu=ANY), "us-west-2", only="g6.2xlarge")
    large = models()["meta-llama/Llama-3.3-70B-Instruct"]
    (found,) = serving_instances(large, Serving(gpu=ANY, context_length=8192), "us-west-2", only="g6.12xlarge")
    assert (found.nodes, found.fitted.serving.tensor_parallel) == (2, 4)


def test_the_stage_with_most_layers_decides() -> None:
    # 61 layers over two nodes: 31 of them on one, with the embedding or the head.
    two = fit(DEEPSEEK, Serving(gpu=ANY, tensor_parallel=8, pipeline_parallel=2))
    inner = memory.weights_bytes(DEEPSEEK) - 2 * 2 * 129280 * 7168
    assert two.weights_gib * memory.GIB * 8 == pytest.approx(inner * 31 / 61 + 2 * 129280 * 7168)


def test_an_engine_that_divides_no_model_takes_one_gpu_of_one_node() -> None:
    large = models()["meta-llama/Llama-3.3-70B-Instruct"]
    serving = Serving(gpu=ANY, context_length=8192, engine=inference_engines()["transformers"])
    found = serving_instances(large, serving, "us-west-2")
    assert {(each.nodes, each.fitted.serving.tensor_parallel) for each in found} == {(1, 1)}
    assert not serving_instances(DEEPSEEK, serving, "us-west-2")


def test_one_type_that_holds_the_model_with_fewer_requests_in_a_step_takes_no_more_nodes() -> None:
    # gpt-oss 120B is made for one H100 (https://huggingface.co/openai/gpt-oss-120b), which has no room beside it
    # for what 1,024 requests of a step take when they are sampled.
    gpt_oss = models()["openai/gpt-oss-120b"]
    serving = Serving(gpu=ANY, context_length=8192)
    assert serving_instances(gpt_oss, serving, "us-west-2", only="p5.4xlarge") == []
    (found,) = serving_instances(gpt_oss, replace(serving, max_num_seqs=256), "us-west-2", only="p5.4xlarge")
    assert (found.nodes, found.fitted.serving.tensor_parallel) == (1, 1)


def test_of_types_without_a_price_the_one_with_fewest_gpus_is_named() -> None:
    found = serving_instances(LLAMA, Serving(gpu=ANY, context_length=8192), "ap-northeast-1")
    (without,) = [each.name for each in found if each.usd_per_hour is None]
    assert without == "g7e.2xlarge"
    trained = training_instances(LLAMA, Training(gpu=ANY, method=Method.LORA), "ap-northeast-1")
    gpus = [each.fitted.training.gpus for each in trained if each.usd_per_hour is None]
    assert len(gpus) > 1
    assert gpus == sorted(gpus)


def test_training_takes_as_few_nodes_as_hold_the_model() -> None:
    found = {each.name: each for each in training_instances(LLAMA, Training(gpu=ANY), "us-west-2", tokens=1e9)}
    assert found["p5.48xlarge"].nodes == 1
    assert found["g5.12xlarge"].nodes == 2
    usd, hours = found["p5.48xlarge"].usd, found["p5.48xlarge"].run
    assert usd is not None
    assert hours is not None
    assert usd.expected == pytest.approx(55.04 * hours.hours.expected)


def test_nodes_take_no_less_time_than_their_network_does() -> None:
    # ZeRO 3 of 70.6 billion parameters: three times 16 bit, of which each of two nodes gets half from the other, for
    # each step of 2,048 tokens on each of 16 GPUs, over 3,200 Gbit/s.
    large = models()["meta-llama/Llama-3.3-70B-Instruct"]
    found = {each.name: each for each in training_instances(large, Training(gpu=ANY), "us-west-2", tokens=1e9)}
    fast = found["p5.48xlarge"].run
    assert fast
    assert fast.network_hours == pytest.approx(1e9 / (2048 * 16) * 70.55e9 * 6 / 2 / 400e9 / 3600, rel=0.001)
    assert fast.network_hours < fast.hours.low
    slow = training_instances(large, Training(gpu=ANY), "us-west-2", tokens=1e9, only="g6e.xlarge")[0].run
    assert slow
    assert len(set(slow.hours)) == 1
    assert slow.hours.low > 100 * fast.hours.high
    assert slow.explain()[-1].startswith("network: at least")


def test_what_is_trained_alone_needs_no_network() -> None:
    run = training_instances(LLAMA, Training(gpu=ANY), "us-west-2", tokens=1e9, only="p5.48xlarge")[0].run
    assert run
    assert run.network_hours == 0


def test_a_context_beyond_the_models_own_is_refused() -> None:
    with pytest.raises(InputError, match="context_length: 200000 given, the model takes at most 131072"):
        serving_instances(LLAMA, Serving(gpu=ANY, context_length=200_000), "us-west-2")


def test_without_tokens_there_is_no_time_and_no_price() -> None:
    first = training_instances(LLAMA, Training(gpu=ANY, method=Method.LORA), "us-west-2")[0]
    assert first.run is None
    assert first.usd is None


def test_tensor_parallelism_stays_within_a_node() -> None:
    found = training_instances(LLAMA, Training(gpu=ANY, gpus=8, tensor_parallel=8), "us-west-2")
    assert {each.fitted.training.gpus % 8 for each in found} == {0}
    assert not any(each.name.endswith(".xlarge") for each in found)


def test_tensor_parallelism_that_divides_no_node_is_refused() -> None:
    with pytest.raises(InputError, match="tensor_parallel: 16 given, it does not divide the GPUs of any type"):
        training_instances(LLAMA, Training(gpu=ANY, gpus=16, tensor_parallel=16), "us-west-2")


@pytest.mark.parametrize(
    ("region", "only", "text"),
    [
        ("mars-north-1", None, "region: mars-north-1 has no prices in the catalog"),
        (["us-west-2"], None, r"region: \['us-west-2'\] has no prices in the catalog"),
        ("us-west-2", "g6.xlarg", "did you mean 'g6.xlarge'?"),
        ("us-west-2", "g4dn.xlarge", "g4dn.xlarge has T4 of compute capability 7.5, must be at least 8"),
        ("us-west-2", "g6f.xlarge", "g6f.xlarge has only a part of a GPU"),
        ("us-west-2", "m7i.xlarge", "m7i.xlarge has no GPU$"),
        ("eu-west-1", "p6-b200.48xlarge", "p6-b200.48xlarge is not offered in eu-west-1$"),
        ("us-west-2", "m6i.larg", "m6i.larg is not in the catalog of instance types, did you mean 'm7i.large'?"),
    ],
)
def test_what_cannot_be_had_is_refused(region: Any, only: str | None, text: str) -> None:
    with pytest.raises(InputError, match=text.replace("?", r"\?")):
        serving_instances(LLAMA, Serving(gpu=ANY), region, only=only)
