"""What the memory and the time of training follow."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksml.catalog import models
from eksml.errors import InputError
from eksml.sizing import (
    Checkpointing,
    GpuMemory,
    Method,
    Sharding,
    Training,
    active_parameters,
    fit_training,
    flops_per_token,
    training_run,
)

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


def test_numbers_that_are_not_above_zero_are_refused() -> None:
    with pytest.raises(InputError, match="tokens: 0 given, must be above 0"):
        training_run(LLAMA, Training(gpu=H100), tokens=0, peak_teraflops=989)


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
