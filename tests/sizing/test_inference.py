"""Whether a model fits, and what an answer depends on."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksml.catalog import Gpu, inference_engines, instance_types, models, precisions
from eksml.errors import InputError
from eksml.sizing import GpuMemory, Serving, fit, gpu_memory, known_gpus, memory, problem, shape_from_config
from hub_configs import HUB_CONFIGS

GPUS = {gpu.title: gpu for gpu in known_gpus()}
L4, A100, H100, H200 = (
    GPUS["L4 (22.35 GiB)"],
    GPUS["A100 (80 GiB)"],
    GPUS["H100 (80 GiB)"],
    GPUS["H200 (141 GiB)"],
)
LLAMA_8B = models()["meta-llama/Llama-3.1-8B-Instruct"]
LLAMA_70B = models()["meta-llama/Llama-3.3-70B-Instruct"]
DEEPSEEK_V3 = models()["deepseek-ai/DeepSeek-V3"]
GEMMA_27B = models()["google/gemma-3-27b-it"]

generators = st.sampled_from([model for model in models().values() if "textGeneration" in model.tasks])
servings = st.builds(
    Serving,
    gpu=st.sampled_from(list(GPUS.values())),
    tensor_parallel=st.sampled_from([1, 2, 4, 8]),
    pipeline_parallel=st.sampled_from([1, 2]),
    precision=st.sampled_from([None, *precisions()]),
    kv_precision=st.sampled_from([None, "fp8"]),
    context_length=st.integers(1, 200_000),
    concurrency=st.integers(1, 64),
    engine=st.sampled_from(list(inference_engines().values())),
    gpu_memory_utilization=st.sampled_from([None, 0.5, 0.95]),
    max_num_batched_tokens=st.sampled_from([None, 512, 16384]),
    max_num_seqs=st.sampled_from([None, 1, 1024]),
)


@given(generators, servings)
def test_an_answer_is_whole_whatever_is_asked(model, serving) -> None:
    fitted = fit(model, serving)
    tokens = fitted.kv_tokens
    assert tokens
    assert 0 <= tokens.low <= tokens.expected <= tokens.high
    assert fitted.overhead_gib.low <= fitted.overhead_gib.expected <= fitted.overhead_gib.high
    assert len(fitted.explain()) == 4
    assert (problem(fitted) is None) == fitted.fits


@given(generators, servings)
def test_what_fits_is_what_the_largest_context_and_concurrency_say(model, serving) -> None:
    fitted = fit(model, serving)
    if not fitted.is_divisible:
        return
    if longest := fitted.largest_context:
        # Tokens of a step of transformers are those of all requests, so a shorter context takes less beside the cache.
        assert fit(model, replace(serving, context_length=longest)).fits or serving.engine.block_tokens == 1
    assert fitted.fits == (fitted.largest_concurrency >= serving.concurrency and fitted.kv_pool_gib.expected > 0)


@given(generators, servings, st.integers(1, 50_000))
def test_a_longer_context_never_takes_less(model, serving, more: int) -> None:
    longer = replace(serving, context_length=serving.context_length + more)
    assert fit(model, longer).kv_cache_gib >= fit(model, serving).kv_cache_gib
    assert fit(model, serving).fits or not fit(model, longer).fits


@given(generators, servings)
def test_more_gpus_never_take_more_of_each_for_weights_and_cache(model, serving) -> None:
    wider = replace(serving, tensor_parallel=2 * serving.tensor_parallel)
    assert fit(model, wider).weights_gib <= fit(model, serving).weights_gib * 1.0001
    assert fit(model, wider).kv_cache_gib <= fit(model, serving).kv_cache_gib
    deeper = replace(serving, pipeline_parallel=2 * serving.pipeline_parallel)
    assert fit(model, deeper).weights_gib <= fit(model, serving).weights_gib * 1.0001
    assert fit(model, deeper).kv_cache_gib <= fit(model, serving).kv_cache_gib


@given(generators, servings)
def test_fewer_bits_never_take_more(model, serving) -> None:
    sizes = [
        fit(model, replace(serving, precision=name)).weights_gib for name in ("float32", "bfloat16", "fp8", "int4")
    ]
    assert sizes == sorted(sizes, reverse=True)
    eight = replace(serving, kv_precision="fp8")
    assert fit(model, eight).kv_cache_gib <= fit(model, serving).kv_cache_gib


@given(generators, servings)
def test_what_fits_a_gpu_fits_a_larger_one_with_the_same_limits(model, serving) -> None:
    limits = replace(serving, max_num_batched_tokens=2048, max_num_seqs=256)
    fits = [fit(model, replace(limits, gpu=gpu)).fits for gpu in known_gpus()]
    assert fits == sorted(fits)


def test_keys_and_values_are_replicated_beyond_the_number_of_heads() -> None:
    per_gpu = [fit(LLAMA_8B, Serving(gpu=L4, tensor_parallel=count)).kv_cache_gib for count in (1, 2, 4, 8, 16)]
    assert per_gpu == [16, 8, 4, 2, 2]


def test_a_latent_is_not_divided() -> None:
    one, eight = (fit(DEEPSEEK_V3, Serving(gpu=H200, tensor_parallel=count)) for count in (1, 8))
    assert one.kv_cache_gib == eight.kv_cache_gib
    assert one.kv_cache_gib * memory.GIB == 61 * (512 + 64) * 2 * 163840


def test_sliding_layers_stop_growing() -> None:
    def cache(tokens: int) -> float:
        return fit(GEMMA_27B, Serving(gpu=A100, context_length=tokens, max_num_batched_tokens=2048)).kv_cache_gib

    all_layers = 62 * 2 * 16 * 128 * 2
    assert cache(1024) * memory.GIB == 1024 * all_layers
    assert (cache(131072) - cache(65536)) * memory.GIB == 65536 * all_layers * 10 / 62


def test_a_state_does_not_grow_with_the_tokens_and_is_divided() -> None:
    jamba = shape_from_config(HUB_CONFIGS["Jamba 0.1"].config)

    def cache(tokens: int, gpus: int = 1) -> float:
        serving = Serving(gpu=H200, context_length=tokens, tensor_parallel=gpus)
        return fit(jamba, serving).kv_cache_gib * memory.GIB

    # 28 layers with a state of 8,192 × 16 and a convolution of 8,192 × 3, in 16 bit, two of each; 4 with 8 heads.
    state, token = 28 * 2 * (8192 * 16 + 8192 * 3) * 2, 4 * 2 * 8 * 128 * 2
    assert cache(262_144) == state + 262_144 * token
    assert cache(16) == state + 16 * token
    assert cache(262_144, gpus=8) == cache(262_144) / 8


def test_quantised_weights_keep_embedding_and_head() -> None:
    kept = 2 * 128256 * 4096
    expected = kept * 2 + (LLAMA_8B.parameters - kept) * 4.156 / 8
    assert memory.weights_bytes(LLAMA_8B, "int4") == pytest.approx(expected)


def test_a_gib_is_not_a_gb() -> None:
    assert memory.disk_gb(LLAMA_8B) == pytest.approx(16.06, abs=0.01)
    assert fit(LLAMA_8B, Serving(gpu=H100)).weights_gib == pytest.approx(14.96, abs=0.01)


def test_a_gpu_shows_less_than_its_name_says() -> None:
    shown = {gpu.title: gpu.visible_gib for gpu in known_gpus()}
    assert 22 < shown["L4 (22.35 GiB)"] < 22.35
    assert 22 < shown["A10G (22.35 GiB)"] < 22.35
    assert 79 < shown["A100 (80 GiB)"] < 80
    assert 79 < shown["H100 (80 GiB)"] < 80


def test_a_gpu_whose_memory_is_not_known_counts_as_less_and_the_answer_says_so() -> None:
    eighth = gpu_memory(Gpu(model="L4", count=0, memory_gib=2.79, fraction=0.125))
    assert not eighth.is_known
    assert eighth.visible_gib < 2.79
    assert "not known" in fit(LLAMA_8B, Serving(gpu=eighth)).explain()[0]


def test_every_gpu_of_ec2_has_a_memory() -> None:
    for name, fact in instance_types().items():
        if fact.gpu:
            assert 0 < gpu_memory(fact.gpu).visible_gib <= fact.gpu.memory_gib, name


def test_more_batched_tokens_and_a_larger_vocabulary_take_more_beside_the_cache() -> None:
    def overhead(model, tokens: int, requests: int) -> float:
        serving = Serving(gpu=A100, max_num_batched_tokens=tokens, max_num_seqs=requests)
        return fit(model, serving).overhead_gib.expected

    assert overhead(LLAMA_8B, 32768, 256) > overhead(LLAMA_8B, 2048, 256) + 2
    assert overhead(LLAMA_8B, 2048, 1024) > overhead(LLAMA_8B, 2048, 256) + 2
    assert overhead(GEMMA_27B, 2048, 256) > 1.5 * overhead(LLAMA_8B, 2048, 256)


def test_an_engine_works_on_more_at_once_on_a_large_gpu_but_not_on_an_a100() -> None:
    assert [fit(LLAMA_8B, Serving(gpu=gpu)).max_num_seqs for gpu in (L4, A100, H100)] == [256, 256, 1024]


def test_a_problem_says_what_is_needed_and_what_would_fit() -> None:
    text = problem(fit(LLAMA_8B, Serving(gpu=L4)))
    assert text == (
        "does not fit: 32.7 GiB of each GPU are needed (15.0 for weights, 16.0 for a request of 131072 tokens, 1.8 "
        "beside), and 20.3 are there (0.92 of the 22.1 that L4 (22.35 GiB) shows); it fits with contextLength 29280, "
        "2 GPUs for tensor parallelism or a larger GPU such as A100 (40 GiB)"
    )
    assert fit(LLAMA_8B, Serving(gpu=L4, context_length=29280)).fits
    assert not fit(LLAMA_8B, Serving(gpu=L4, context_length=29281)).fits


def test_a_problem_that_no_single_change_solves_names_the_gpus_that_would_do() -> None:
    text = problem(fit(LLAMA_70B, Serving(gpu=L4)))
    assert text
    assert text.endswith("it fits on 2 GPUs such as H200 (141 GiB)")
    assert fit(LLAMA_70B, Serving(gpu=H200, tensor_parallel=2)).fits


def test_another_format_of_as_many_bits_is_no_advice() -> None:
    text = problem(fit(models()["openai/gpt-oss-120b"], Serving(gpu=H100)))
    assert text
    assert "precision" not in text
    assert text.endswith(", 2 GPUs for tensor parallelism or a larger GPU such as RTX PRO Server 6000 (96 GiB)")


def test_fewer_requests_in_a_step_are_advised_with_the_context_that_they_leave_room_for() -> None:
    text = problem(fit(models()["openai/gpt-oss-120b"], Serving(gpu=H100)))
    assert text
    found = re.search(r"max_num_seqs 256 with contextLength (\d+)", text)
    assert found
    longest = Serving(gpu=H100, max_num_seqs=256, context_length=int(found[1]))
    assert fit(models()["openai/gpt-oss-120b"], longest).fits


def test_what_no_node_holds_is_said() -> None:
    huge = DEEPSEEK_V3.model_copy(update={"parameters": 10**13})
    text = problem(fit(huge, Serving(gpu=L4)))
    assert text
    assert text.endswith("a smaller precision, a shorter context or several nodes would")


def test_too_many_requests_at_once_are_answered_with_how_many_there_may_be() -> None:
    text = problem(fit(LLAMA_8B, Serving(gpu=L4, context_length=8192, concurrency=8)))
    assert text
    assert "concurrency 3" in text


def test_a_narrow_answer_is_said_to_be_narrow() -> None:
    text = problem(fit(LLAMA_8B, Serving(gpu=L4, context_length=29400)))
    assert text
    assert text.startswith("does not fit, if barely")


def test_transformers_unpacks_what_is_quantised_unless_it_is_told_otherwise() -> None:
    gpt_oss, engine = models()["openai/gpt-oss-20b"], inference_engines()["transformers"]
    unpacked = fit(gpt_oss, Serving(gpu=H100, engine=engine, context_length=1024))
    assert unpacked.precision == "float16"
    assert unpacked.weights_gib == pytest.approx(gpt_oss.parameters * 2 / memory.GIB)
    assert fit(gpt_oss, Serving(gpu=H100, engine=engine, precision="mxfp4")).weights_gib < unpacked.weights_gib / 2
    assert fit(gpt_oss, Serving(gpu=H100)).precision == "mxfp4"
    assert "in float16 on one GPU" in unpacked.explain()[1]


def test_heads_must_be_divisible() -> None:
    qwen = models()["Qwen/Qwen2.5-0.5B-Instruct"]
    fitted = fit(qwen, Serving(gpu=L4, tensor_parallel=4))
    assert not fitted.fits
    assert problem(fitted) == "14 attention heads cannot be divided among 4 GPUs"


def test_heads_of_keys_and_values_must_be_divisible_or_replicated_too() -> None:
    transformer = LLAMA_8B.transformer
    assert transformer
    # Phi 4 has 40 heads and 10 of keys and values.
    phi = LLAMA_8B.model_copy(
        update={"transformer": transformer.model_copy(update={"attention_heads": 40, "key_value_heads": 10})}
    )
    problems = [problem(fit(phi, Serving(gpu=H100, tensor_parallel=count))) for count in (2, 4)]
    assert problems == [None, "10 attention heads cannot be divided among 4 GPUs"]


@pytest.mark.parametrize("name", ["BAAI/bge-small-en-v1.5", "microsoft/resnet-50"])
def test_what_keeps_nothing_from_token_to_token_has_no_cache(name: str) -> None:
    fitted = fit(models()[name], Serving(gpu=L4, engine=inference_engines()["transformers"], concurrency=32))
    assert fitted.fits
    assert fitted.kv_tokens is None
    assert fitted.largest_context is None
    assert fitted.explain()[-1] == "cache: none, the model keeps nothing from token to token"


def test_a_setting_that_cannot_be_is_refused_with_every_other() -> None:
    with pytest.raises(InputError) as caught:
        Serving(
            gpu=L4, concurrency=-1, gpu_memory_utilization=92, precision="fp7", kv_precision="int4", context_length=0
        )
    assert str(caught.value).splitlines() == [
        "concurrency: -1 given, must be at least 1",
        "context_length: 0 given, must be at least 1",
        "gpu_memory_utilization: 92 given, must be above 0 and at most 1",
        "precision: fp7 is not known, float32, bfloat16, float16, fp8, int8, int4, mxfp4 or nvfp4 are",
        "kv_precision: int4 is not known, float32, bfloat16, float16 or fp8 are",
    ]


@pytest.mark.parametrize(
    ("strange", "text"),
    [
        ({"gpu": "L4"}, "gpu: 'L4' given, must be a GpuMemory, such as one of known_gpus()"),
        ({"gpu": None}, "gpu: None given, must be a GpuMemory"),
        ({"gpu": ("L4", 22.06)}, "gpu: ('L4', 22.06) given, must be a GpuMemory"),
        ({"gpu": GpuMemory("L4", -1.0)}, "gpu.visible_gib: -1.0 given, must be at least 0"),
        ({"gpu": GpuMemory("L4", float("nan"))}, "gpu.visible_gib: nan given, must be at least 0"),
        ({"gpu": GpuMemory("L4", True)}, "gpu.visible_gib: True given, must be a number"),
        ({"gpu": L4, "engine": "vllm"}, "engine: 'vllm' given, must be one of inference_engines()"),
        ({"gpu": L4, "precision": []}, "precision: [] is not known, "),
    ],
    ids=str,
)
def test_what_is_of_another_type_is_refused(strange: Any, text: str) -> None:
    with pytest.raises(InputError) as caught:
        Serving(**strange)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("strange", ["fp9", 8, ["fp8"]])
def test_a_precision_that_is_not_known_is_refused_for_a_disk_too(strange: Any) -> None:
    with pytest.raises(InputError, match=r"precision: .* is not known, float32, bfloat16"):
        memory.disk_gb(LLAMA_8B, strange)


@pytest.mark.parametrize("strange", [None, "meta-llama/Llama-3.1-8B-Instruct", {}])
def test_what_is_no_model_is_refused_with_what_makes_one(strange: Any) -> None:
    with pytest.raises(InputError, match=r"model: .* given, must be a ModelShape, such as shape_of\('"):
        fit(strange, Serving(gpu=L4))


def test_what_is_too_large_to_be_a_number_of_things_is_refused() -> None:
    with pytest.raises(InputError, match=r"concurrency: 1000.* given, must be at most 1,000,000,000,000,000,000"):
        Serving(gpu=L4, concurrency=10**400)


def test_what_is_no_number_is_refused_too() -> None:
    strange: Any = {"tensor_parallel": 1.5, "context_length": "8192", "gpu_memory_utilization": "$1"}
    with pytest.raises(InputError) as caught:
        Serving(gpu=L4, **strange)
    assert str(caught.value).splitlines() == [
        "tensor_parallel: 1.5 given, must be a whole number",
        "context_length: '8192' given, must be a whole number",
        "gpu_memory_utilization: '$1' given, must be a number, such as 0.9",
    ]
