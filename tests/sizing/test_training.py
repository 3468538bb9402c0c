"""What the memory and the time of training follow."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksml.catalog import ModelShape, models
from eksml.errors import InputError
from eksml.sizing import (
    Checkpointing,
    GpuMemory,
    Method,
    Sharding,
    Training,
    active_parameters,
    dispatched_bytes,
    exchanged_bytes,
    fit_training,
    flops_per_token,
    training_run,
)
from eksml.sizing.memory import GIB

H100 = GpuMemory("H100 (80 GiB)", 79.11)
L4 = GpuMemory("L4 (22.35 GiB)", 22.06)
LLAMA = models()["meta-llama/Llama-3.1-8B-Instruct"]
BERT = models()["google-bert/bert-base-uncased"]


def test_eight_billion_parameters_do_not_train_on_one_gpu_but_sharded_over_eight() -> None:
    one, eight = (fit_training(LLAMA, Training(gpu=H100, gpus=count)) for count in (1, 8))
    assert not one.fits
    assert eight.fits
    assert eight.is_certain


def test_qlora_fits_where_lora_does_and_where_it_does_not() -> None:
    lora, qlora = (
        fit_training(LLAMA, Training(gpu=L4, method=method, sharding=Sharding.DDP, sequence_length=4096))
        for method in (Method.LORA, Method.QLORA)
    )
    assert qlora.fits
    assert not lora.fits


def test_each_kind_of_sharding_takes_less_than_the_one_before() -> None:
    needed = [fit_training(LLAMA, Training(gpu=H100, gpus=8, sharding=each)).states_gib for each in Sharding]
    assert needed == sorted(needed, reverse=True)


def test_checkpoints_take_a_fraction_of_all_activations() -> None:
    training = Training(gpu=H100, gpus=8)
    everything = fit_training(LLAMA, replace(training, checkpointing=Checkpointing.NONE))
    assert fit_training(LLAMA, training).activations_gib < everything.activations_gib / 10


def test_attention_in_one_piece_grows_with_the_square_of_the_sequence() -> None:
    def activations(length: int) -> float:
        how = Training(gpu=H100, flash_attention=False, checkpointing=Checkpointing.NONE, sequence_length=length)
        return fit_training(LLAMA, how).activations_gib

    assert activations(8192) > 3 * activations(4096)


def test_tensor_parallelism_divides_the_states_without_sharding() -> None:
    alone = fit_training(LLAMA, Training(gpu=H100, gpus=4, sharding=Sharding.DDP))
    divided = fit_training(LLAMA, Training(gpu=H100, gpus=4, sharding=Sharding.DDP, tensor_parallel=4))
    assert divided.states_gib == pytest.approx(alone.states_gib / 4)


def test_of_experts_only_those_that_a_token_passes_through_are_calculated() -> None:
    mixture = models()["openai/gpt-oss-20b"]
    # https://arxiv.org/abs/2508.10925, table 1: 3.61 billion, without the embedding, which is looked up.
    embedding = mixture.transformer.vocabulary_size * mixture.transformer.hidden_size if mixture.transformer else 0
    assert active_parameters(mixture) - embedding == pytest.approx(3.61e9, rel=0.01)
    assert active_parameters(LLAMA) == LLAMA.parameters


def test_frozen_weights_need_no_gradient_of_their_own() -> None:
    full, lora = (flops_per_token(LLAMA, Training(gpu=H100, method=method)) for method in (Method.FULL, Method.LORA))
    assert lora == pytest.approx(full * 4 / 6, rel=0.05)


def test_hours_are_a_range_and_a_measured_utilisation_is_none() -> None:
    training = Training(gpu=H100, gpus=8)
    run = training_run(LLAMA, training, tokens=1e9, peak_teraflops=989)
    assert run.hours.low < run.hours.expected < run.hours.high
    assert run.gpu_hours.expected == pytest.approx(8 * run.hours.expected)
    measured = training_run(LLAMA, training, tokens=1e9, peak_teraflops=989, utilization=0.4)
    assert len(set(measured.hours)) == 1


def test_an_answer_says_what_it_rests_on() -> None:
    lines = "\n".join(fit_training(LLAMA, Training(gpu=H100, gpus=8)).explain())
    for word in ("H100", "8.03 billion", "zero3 over 8 GPUs", "1 × 2048 tokens", "overhead"):
        assert word in lines


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InputError) as error:
        Training(gpu=H100, gpus=6, tensor_parallel=4, micro_batch=0, optimizer="adam")
    assert [line.partition(":")[0] for line in str(error.value).splitlines()] == ["micro_batch", "gpus", "optimizer"]


def test_a_word_is_as_good_as_its_member() -> None:
    words: Any = {"method": "qlora", "sharding": "zero1", "checkpointing": "none"}
    members = Training(gpu=H100, gpus=8, method=Method.QLORA, sharding=Sharding.ZERO1, checkpointing=Checkpointing.NONE)
    assert Training(gpu=H100, gpus=8, **words) == members
    assert fit_training(LLAMA, Training(gpu=H100, gpus=8, **words)).needed_gib == (
        fit_training(LLAMA, members).needed_gib
    )


def test_what_is_no_member_and_no_number_is_refused_with_what_would_be() -> None:
    strange: Any = {"method": "dora", "sharding": "zero9", "checkpointing": False, "micro_batch": "$2", "gpus": 1.5}
    with pytest.raises(InputError) as error:
        Training(gpu=H100, **strange)
    assert str(error.value).splitlines() == [
        "gpus: 1.5 given, must be a whole number",
        "micro_batch: '$2' given, must be a whole number",
        "method: dora is not known, full, lora or qlora are",
        "sharding: zero9 is not known, ddp, zero1, zero2 or zero3 are",
        "checkpointing: False is not known, none or full are",
    ]


@pytest.mark.parametrize(
    ("strange", "text"),
    [
        ({"gpu": "L4"}, "gpu: 'L4' given, must be a GpuMemory, such as one of known_gpus()"),
        ({"optimizer": ["adamw"]}, "optimizer: ['adamw'] is not known, "),
        ({"flash_attention": "no"}, "flash_attention: 'no' given, must be True or False"),
        ({"gpus": True}, "gpus: True given, must be a whole number"),
        ({"method": "full", "lora_rank": 8}, "lora_rank: 8 given, only lora and qlora have matrices of a rank"),
    ],
    ids=str,
)
def test_what_is_of_another_type_is_refused(strange: dict[str, Any], text: str) -> None:
    given: Any = {"gpu": H100, **strange}
    with pytest.raises(InputError) as error:
        Training(**given)
    assert str(error.value).startswith(text)


def test_tensor_parallelism_must_divide_the_heads() -> None:
    with pytest.raises(InputError, match="tensor_parallel: 3 given, it does not divide the 32 attention heads"):
        fit_training(LLAMA, Training(gpu=H100, gpus=6, tensor_parallel=3))


def test_numbers_that_are_not_above_zero_are_refused() -> None:
    with pytest.raises(InputError, match="tokens: 0 given, must be above 0"):
        training_run(LLAMA, Training(gpu=H100), tokens=0, peak_teraflops=989)


@pytest.mark.parametrize(
    ("tokens", "utilization", "text"),
    [
        (float("nan"), None, "tokens: nan given"),
        (float("inf"), None, "tokens: inf given"),
        (1e9, float("nan"), "utilization: nan given, must be a number"),
        (1e9, True, "utilization: True given, must be a number"),
        (1e9, 0, "utilization: 0 given, must be above 0"),
        (10**400, None, "tokens: 1000.* given, must be at most 1,000,000,000,000,000,000"),
        (1e9, 40, "utilization: 40 given, must be at most 1"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(tokens: float, utilization: float | None, text: str) -> None:
    with pytest.raises(InputError, match=text):
        training_run(LLAMA, Training(gpu=H100), tokens=tokens, peak_teraflops=989, utilization=utilization)


@pytest.mark.parametrize(
    ("strange", "text"),
    [
        ({"tokens": None}, "tokens: None given, must be a number"),
        ({"peak_teraflops": "989"}, "peak_teraflops: '989' given, must be a number"),
        ({"utilization": [0.4]}, r"utilization: \[0\.4\] given, must be a number"),
        ({"nodes": 0}, "nodes: 0 given, must be at least 1"),
        ({"nodes": "2"}, "nodes: '2' given, must be a whole number"),
        ({"network_gbps": -1}, "network_gbps: -1 given, must be above 0"),
    ],
)
def test_what_is_no_number_is_refused_and_not_left_out(strange: dict[str, Any], text: str) -> None:
    usual: dict[str, Any] = {"tokens": 1e9, "peak_teraflops": 989}
    with pytest.raises(InputError, match=text):
        training_run(LLAMA, Training(gpu=H100), **usual | strange)


@pytest.mark.parametrize("strange", [None, "meta-llama/Llama-3.1-8B-Instruct", {}])
def test_what_is_no_model_is_refused_with_what_makes_one(strange: Any) -> None:
    with pytest.raises(InputError, match=r"model: .* given, must be a ModelShape, such as shape_of\('"):
        fit_training(strange, Training(gpu=H100))


def test_a_sliding_layer_attends_to_its_window_only() -> None:
    gemma = models()["google/gemma-3-27b-it"]
    short, long = (flops_per_token(gemma, Training(gpu=H100, sequence_length=tokens)) for tokens in (1024, 131_072))
    assert long - short == 12 * 32 * 128 * 10 * (131_072 - 1024)


@pytest.mark.parametrize(
    ("sharding", "method", "times"),
    [(Sharding.DDP, Method.FULL, 2), (Sharding.ZERO2, Method.FULL, 2), (Sharding.ZERO3, Method.FULL, 3)],
)
def test_nodes_exchange_what_zero_says(sharding: Sharding, method: Method, times: int) -> None:
    training = Training(gpu=H100, gpus=16, sharding=sharding, method=method)
    assert exchanged_bytes(LLAMA, training) == times * 2 * LLAMA.parameters


@pytest.mark.parametrize(
    ("sharding", "times"), [(Sharding.DDP, 0.5), (Sharding.ZERO1, 0.5), (Sharding.ZERO2, 1.25)], ids=str
)
def test_micro_batches_that_are_accumulated_share_an_exchange(sharding: Sharding, times: float) -> None:
    training = Training(gpu=H100, gpus=16, sharding=sharding, accumulation=4)
    assert exchanged_bytes(LLAMA, training) == times * 2 * LLAMA.parameters


DEEPSEEK = models()["deepseek-ai/DeepSeek-V3"]


def test_experts_that_gpus_divide_are_exchanged_only_with_who_has_the_same() -> None:
    routed = 58 * 256 * 3 * 7168 * 2048
    rest = DEEPSEEK.parameters - routed

    def exchanged(expert_parallel: int) -> float:
        return exchanged_bytes(DEEPSEEK, Training(gpu=H100, gpus=64, expert_parallel=expert_parallel), nodes=8)

    assert exchanged(1) == 3 * 2 * (rest + routed)
    # A node has all of them, a quarter of them, and each of them nobody else.
    assert exchanged(8) == 3 * 2 * (rest + routed)
    assert exchanged(32) == 3 * 2 * (rest + routed / 4)
    assert exchanged(64) == 3 * 2 * rest


def test_tokens_are_sent_to_experts_on_other_nodes_and_back() -> None:
    training = Training(gpu=H100, gpus=16, expert_parallel=16, checkpointing=Checkpointing.NONE)
    # The other of two nodes has one of eight experts with 1 - 0.5 ** 8; there and back, forward and backward.
    each = 58 * 7168 * 2 * 4 * (1 - 0.5**8)
    assert dispatched_bytes(DEEPSEEK, training, nodes=2) == pytest.approx(8 * 2048 * each)
    again = replace(training, checkpointing=Checkpointing.FULL)
    assert dispatched_bytes(DEEPSEEK, again, nodes=2) == pytest.approx(8 * 2048 * each * 1.5)
    assert dispatched_bytes(DEEPSEEK, replace(training, expert_parallel=8), nodes=2) == 0


def test_experts_that_gpus_divide_are_not_gathered_and_take_no_more_memory() -> None:
    gathered, divided = (
        fit_training(DEEPSEEK, Training(gpu=H100, gpus=512, expert_parallel=count)) for count in (1, 64)
    )
    assert divided.weights_gib < gathered.weights_gib / 10
    assert (divided.gradients_gib, divided.optimizer_gib) == (gathered.gradients_gib, gathered.optimizer_gib)
    # Without sharding a GPU has its experts and all of the rest.
    alone = fit_training(DEEPSEEK, Training(gpu=H100, gpus=64, expert_parallel=64, sharding=Sharding.DDP))
    routed = 58 * 256 * 3 * 7168 * 2048
    assert alone.gradients_gib * GIB == pytest.approx(2 * (DEEPSEEK.parameters - routed + routed / 64))


@pytest.mark.parametrize(
    ("model", "settings", "text"),
    [
        (LLAMA, {"expert_parallel": 2}, "expert_parallel: 2 given, the model has no experts"),
        (DEEPSEEK, {"gpus": 24, "expert_parallel": 24}, "24 given, it does not divide the 256 experts"),
        (
            DEEPSEEK,
            {"expert_parallel": 16},
            "must be a multiple of tensor_parallel × expert_parallel, 16",
        ),
        (DEEPSEEK, {"expert_parallel": 8, "method": "lora"}, "expert_parallel: 8 given, of lora it is not worked out"),
        (LLAMA, {"accumulation": 4}, "accumulation: 4 given, with zero3 GPUs exchange as much after each micro-batch"),
        (LLAMA, {"accumulation": 0, "sharding": "ddp"}, "accumulation: 0 given, must be at least 1"),
    ],
)
def test_parallelism_and_accumulation_without_effect_are_refused(
    model: ModelShape, settings: dict[str, Any], text: str
) -> None:
    with pytest.raises(InputError, match=text):
        fit_training(model, replace(Training(gpu=H100, gpus=settings.get("gpus", 8)), **settings))


def test_adapters_exchange_little_unless_what_is_frozen_is_sharded_too() -> None:
    ddp, zero3 = (
        exchanged_bytes(LLAMA, Training(gpu=H100, gpus=16, method=Method.LORA, sharding=each))
        for each in (Sharding.DDP, Sharding.ZERO3)
    )
    assert ddp == 2 * 2 * 41_943_040
    assert zero3 == pytest.approx(2 * 2 * LLAMA.parameters, rel=0.01)


def test_a_model_that_is_no_transformer_is_refused() -> None:
    with pytest.raises(InputError, match="no transformer"):
        fit_training(models()["microsoft/resnet-50"], Training(gpu=H100))


@given(
    gpus=st.integers(1, 512),
    length=st.integers(1, 131072),
    batch=st.integers(1, 64),
    method=st.sampled_from(Method),
    sharding=st.sampled_from(Sharding),
    checkpointing=st.sampled_from(Checkpointing),
)
def test_more_tokens_never_need_less(
    gpus: int, length: int, batch: int, method: Method, sharding: Sharding, checkpointing: Checkpointing
) -> None:
    training = Training(
        gpu=H100,
        gpus=gpus,
        sequence_length=length,
        micro_batch=batch,
        method=method,
        sharding=sharding,
        checkpointing=checkpointing,
    )
    for model in (LLAMA, BERT):
        needed = fit_training(model, training).needed_gib
        assert 0 < needed.low <= needed.expected <= needed.high
        more = fit_training(model, replace(training, micro_batch=batch + 1)).needed_gib
        assert more.expected > needed.expected
