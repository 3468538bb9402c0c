"""Shapes from the catalog and from config.json."""

import json
import re
import subprocess
import sys
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eksml.catalog import RecurrentAttention, SlidingAttention, Transformer, models
from eksml.errors import InputError
from eksml.sizing import (
    Training,
    active_parameters,
    count_parameters,
    flops_per_token,
    known_gpus,
    shape_from_config,
    shape_of,
)
from eksml.sizing.memory import weights_bytes, weights_bytes_per_gpu
from hub_configs import HUB_CONFIGS, HubConfig

QWEN3_8B: dict[str, Any] = {
    "architectures": ["Qwen3ForCausalLM"],
    "head_dim": 128,
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "max_position_embeddings": 40960,
    "model_type": "qwen3",
    "num_attention_heads": 32,
    "num_hidden_layers": 36,
    "num_key_value_heads": 8,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "use_sliding_window": False,
    "vocab_size": 151936,
}
DEEPSEEK_V3: dict[str, Any] = {
    "architectures": ["DeepseekV3ForCausalLM"],
    "first_k_dense_replace": 3,
    "hidden_size": 7168,
    "intermediate_size": 18432,
    "kv_lora_rank": 512,
    "max_position_embeddings": 163840,
    "moe_intermediate_size": 2048,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_attention_heads": 128,
    "num_experts_per_tok": 8,
    "num_hidden_layers": 61,
    "num_key_value_heads": 128,
    "q_lora_rank": 1536,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]},
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "v_head_dim": 128,
    "vocab_size": 129280,
}
GPT_OSS_20B: dict[str, Any] = {
    "architectures": ["GptOssForCausalLM"],
    "head_dim": 64,
    "hidden_size": 2880,
    "intermediate_size": 2880,
    "layer_types": ["sliding_attention", "full_attention"] * 12,
    "max_position_embeddings": 131072,
    "model_type": "gpt_oss",
    "num_attention_heads": 64,
    "num_experts_per_tok": 4,
    "num_hidden_layers": 24,
    "num_key_value_heads": 8,
    "num_local_experts": 32,
    "quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]},
    "sliding_window": 128,
    "tie_word_embeddings": False,
    "vocab_size": 201088,
}
GEMMA_3_27B: dict[str, Any] = {
    "architectures": ["Gemma3ForConditionalGeneration"],
    "model_type": "gemma3",
    "text_config": {
        "head_dim": 128,
        "hidden_size": 5376,
        "intermediate_size": 21504,
        "max_position_embeddings": 131072,
        "model_type": "gemma3_text",
        "num_attention_heads": 32,
        "num_hidden_layers": 62,
        "num_key_value_heads": 16,
        "sliding_window": 1024,
        "vocab_size": 262208,
    },
    "torch_dtype": "bfloat16",
    "vision_config": {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27},
}
E5_MISTRAL: dict[str, Any] = {
    "architectures": ["MistralModel"],
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "max_position_embeddings": 32768,
    "model_type": "mistral",
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "sliding_window": 4096,
    "torch_dtype": "float16",
    "vocab_size": 32000,
}
MODERNBERT: dict[str, Any] = {
    "architectures": ["ModernBertModel"],
    "hidden_size": 768,
    "intermediate_size": 1152,
    "max_position_embeddings": 8192,
    "model_type": "modernbert",
    "num_attention_heads": 12,
    "num_hidden_layers": 22,
    "vocab_size": 50368,
}
NOMIC: dict[str, Any] = {
    "architectures": ["NomicBertModel"],
    "model_type": "nomic_bert",
    "n_embd": 768,
    "n_head": 12,
    "n_inner": 3072,
    "n_layer": 12,
    "n_positions": 8192,
    "vocab_size": 30528,
}
EMBEDDING_GEMMA: dict[str, Any] = {
    "architectures": ["Gemma3TextModel"],
    "head_dim": 256,
    "hidden_size": 768,
    "intermediate_size": 1152,
    "max_position_embeddings": 2048,
    "model_type": "gemma3_text",
    "num_attention_heads": 3,
    "num_hidden_layers": 24,
    "num_key_value_heads": 1,
    "sliding_window": 512,
    "use_bidirectional_attention": True,
    "vocab_size": 262144,
}
ERNIE: dict[str, Any] = {
    "architectures": ["Ernie4_5_MoeForCausalLM"],
    "head_dim": 128,
    "hidden_size": 2560,
    "intermediate_size": 12288,
    "max_position_embeddings": 131072,
    "model_type": "ernie4_5_moe",
    "moe_intermediate_size": 1536,
    "moe_k": 6,
    "moe_layer_start_index": 1,
    "moe_num_experts": 64,
    "moe_num_shared_experts": 2,
    "num_attention_heads": 20,
    "num_hidden_layers": 28,
    "num_key_value_heads": 4,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "vocab_size": 103424,
}
DISTILBERT: dict[str, Any] = {
    "architectures": ["DistilBertForSequenceClassification"],
    "dim": 768,
    "hidden_dim": 3072,
    "max_position_embeddings": 512,
    "n_heads": 12,
    "n_layers": 6,
    "vocab_size": 30522,
}


@pytest.mark.parametrize(
    ("model", "config"),
    [
        ("Qwen/Qwen3-8B", QWEN3_8B),
        ("deepseek-ai/DeepSeek-V3", DEEPSEEK_V3),
        ("openai/gpt-oss-20b", GPT_OSS_20B),
        ("google/gemma-3-27b-it", GEMMA_3_27B),
        ("distilbert/distilbert-base-uncased-finetuned-sst-2-english", DISTILBERT),
    ],
)
def test_a_config_says_what_the_catalog_says(model: str, config: dict[str, Any]) -> None:
    ours, known = shape_from_config(config), shape_of(model)
    assert ours.precision == known.precision
    assert ours.parameters == pytest.approx(known.parameters, rel=0.02)
    assert ours.transformer
    assert known.transformer
    assert ours.kept_parameters == pytest.approx(known.kept_parameters, rel=0.02)
    assert ours.transformer == known.transformer


@pytest.mark.parametrize(
    ("model", "hub"),
    [
        ("Qwen/Qwen3.5-27B", "Qwen3.8 27B with images"),
        ("Qwen/Qwen3.6-35B-A3B", "Qwen3.6 35B A3B with images"),
        ("meta-llama/Llama-4-Maverick-17B-128E-Instruct", "Llama 4 Maverick with images"),
    ],
)
def test_a_model_of_the_catalog_that_sees_is_what_its_config_says(model: str, hub: str) -> None:
    ours, known = shape_from_config(HUB_CONFIGS[hub].config), shape_of(model)
    assert ours.transformer == known.transformer
    assert known.parameters == HUB_CONFIGS[hub].parameters
    assert ours.vision_parameters == pytest.approx(known.vision_parameters, rel=0.015)


def test_a_list_that_is_none_is_taken_for_an_empty_one() -> None:
    config = HUB_CONFIGS["Qwen3-VL 8B"].config
    strange = config | {"vision_config": config["vision_config"] | {"deepstack_visual_indexes": 3}}
    assert shape_from_config(strange).vision_parameters < shape_from_config(config).vision_parameters


@pytest.mark.parametrize("hub", HUB_CONFIGS.values(), ids=list(HUB_CONFIGS))
def test_a_config_of_the_hub_has_the_parameters_that_transformers_makes_of_it(hub: HubConfig) -> None:
    assert shape_from_config(hub.config).parameters == pytest.approx(hub.parameters, rel=0.005)


# What papers say that sees images, without what joins it to the language model, in millions; and what joins it.
SEEING = [
    ("Qwen2-VL 7B", 675, 0, "https://arxiv.org/abs/2409.12191, table 1"),
    ("Gemma 3 4B with images", 417, 1152 * 2560 / 1e6, "https://arxiv.org/abs/2503.19786, table 1"),
]


@pytest.mark.parametrize(("name", "millions", "joint", "source"), SEEING, ids=[each[0] for each in SEEING])
def test_what_sees_images_has_the_parameters_that_papers_say(
    name: str, millions: float, joint: float, source: str
) -> None:
    counted = shape_from_config(HUB_CONFIGS[name].config).vision_parameters / 1e6
    assert counted - joint == pytest.approx(millions, rel=0.02), source


@pytest.mark.parametrize(
    ("name", "billions", "source"),
    [
        ("Qwen2.5-VL 7B", 8.29, "its model card: 8B, 8,292,166,656 in the index of its tensors"),
        ("Mistral Small 3.1 with images", 24, "its model card"),
        ("Llama 4 Maverick with images", 400, "its model card"),
    ],
)
def test_a_model_that_sees_has_the_parameters_of_its_model_card(name: str, billions: float, source: str) -> None:
    assert shape_from_config(HUB_CONFIGS[name].config).parameters / 1e9 == pytest.approx(billions, rel=0.005), source


def test_what_sees_images_stays_in_16_bit_and_is_no_part_of_what_text_passes_through() -> None:
    config = HUB_CONFIGS["Qwen2.5-VL 7B"].config
    seeing, blind = shape_from_config(config), shape_from_config(config | {"vision_config": None})
    assert seeing.parameters - blind.parameters == seeing.vision_parameters > 0.67e9
    assert weights_bytes(seeing, "int4") - weights_bytes(blind, "int4") == 2 * seeing.vision_parameters
    training = Training(gpu=known_gpus()[0])
    assert flops_per_token(seeing, training) == flops_per_token(blind, training)
    # A pipeline has it on its first stage, whole.
    stage = weights_bytes_per_gpu(seeing, None, 1, 2) - weights_bytes_per_gpu(blind, None, 1, 2)
    assert stage == 2 * seeing.vision_parameters


CLIP: dict[str, Any] = {
    "architectures": ["CLIPModel"],
    "model_type": "clip",
    "text_config": {
        "hidden_size": 512,
        "max_position_embeddings": 77,
        "model_type": "clip_text_model",
        "num_attention_heads": 8,
        "num_hidden_layers": 12,
        "vocab_size": 49408,
    },
    "vision_config": {"hidden_size": 768, "num_hidden_layers": 12},
}


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (CLIP, "vision_config: what sees images is not counted for model_type clip, only for gemma3,"),
        (QWEN3_8B | {"audio_config": {"d_model": 1280}}, "audio_config: what hears is not counted here"),
        (QWEN3_8B | {"visual": {"width": 1664}}, "visual: what sees images is not counted here"),
        (GEMMA_3_27B | {"vision_config": [1]}, "vision_config: must be a mapping"),
        (GEMMA_3_27B | {"vision_config": {"x": 1}}, "vision_config.num_hidden_layers: missing"),
    ],
)
def test_what_sees_or_hears_in_another_way_is_refused(config: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=re.escape(text)):
        shape_from_config(config)


@pytest.mark.parametrize(
    ("name", "billions"),
    # By the model cards: A14B, A3B and 12 billion; Nemotron's 3.5 are without the embedding.
    [("Qwen2 57B A14B", 14), ("Qwen3-Next 80B A3B", 3.9), ("Jamba 0.1", 12), ("Llama 4 Maverick", 17)],
)
def test_of_experts_those_count_as_active_that_model_cards_count(name: str, billions: float) -> None:
    assert active_parameters(shape_from_config(HUB_CONFIGS[name].config)) / 1e9 == pytest.approx(billions, rel=0.03)


def transformer_of(name: str, **changes: Any) -> Transformer:
    transformer = shape_from_config(HUB_CONFIGS[name].config | changes).transformer
    assert transformer
    return transformer


def test_what_a_config_leaves_out_is_what_its_class_has() -> None:
    gemma = transformer_of("Gemma 3 4B")
    assert (gemma.attention_heads, gemma.key_value_heads, gemma.head_dimension) == (8, 4, 256)
    assert (gemma.vocabulary_size, gemma.context_length, gemma.tied_embeddings) == (262208, 131072, True)
    assert gemma.attention == SlidingAttention(window=1024, full_layers=5)
    assert not transformer_of("Mistral Small 3.1").tied_embeddings


@pytest.mark.parametrize(
    ("name", "full", "recurrent"),
    [
        ("Qwen3-Next 80B A3B", 12, 36),
        ("Qwen3.8 27B", 16, 48),
        ("Jamba 0.1", 4, 28),
        ("Nemotron-H 8B", 4, 24),
        ("Nemotron 3 Nano 30B A3B", 6, 23),
        ("Granite 4 tiny", 4, 36),
        ("Bamba 9B", 3, 29),
    ],
)
def test_layers_that_keep_a_state_are_told_from_those_that_attend(name: str, full: int, recurrent: int) -> None:
    attention = transformer_of(name).attention
    assert isinstance(attention, RecurrentAttention)
    assert (attention.full_layers, attention.recurrent_layers) == (full, recurrent)


def test_a_window_that_is_not_used_is_none() -> None:
    assert transformer_of("Qwen2 7B").attention.kind == "full"


def test_layers_that_attend_to_all_may_have_heads_of_their_own() -> None:
    gemma = transformer_of("Gemma 4 31B").attention
    assert gemma == SlidingAttention(window=1024, full_layers=10, full_key_value_heads=4, full_head_dimension=512)


def test_falcon_shares_one_head_of_keys_and_values() -> None:
    assert transformer_of("Falcon 7B").key_value_heads == 1


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"is_encoder_decoder": True, "d_model": 1280}, "an encoder beside its decoder"),
        ({"model_type": "mamba", "state_size": 16}, "a state instead of attention"),
        (QWEN3_8B | {"num_kv_shared_layers": 20}, "layers that share their cache"),
        (QWEN3_8B | {"mamba_d_state": 256}, "which layers keep a state must be said"),
        (QWEN3_8B | {"layer_types": ["linear_attention"] * 36}, "how large a state linear_attention keeps"),
        (QWEN3_8B | {"layer_types": ["conv"] * 36}, "how much conv caches is not known here"),
        (QWEN3_8B | {"layer_types": ["full_attention"] * 7}, "must be a list of the kinds of all 36 layers"),
        (QWEN3_8B | {"hidden_size": 10**400}, r"hidden_size: 1000+\.\.\.0+ given, must be a whole number from 1"),
        (QWEN3_8B | {"block_configs": [{}]}, "layers of several sizes"),
        (QWEN3_8B | {"moe_count_of_experts": 64}, "^moe_count_of_experts: experts .* not worked out here"),
        (QWEN3_8B | {"ffn_config": {"moe_num_experts": 16}}, "^ffn_config: .* not worked out here"),
        ({**QWEN3_8B, "max_position_embeddings": None}, "max_position_embeddings: missing$"),
        (QWEN3_8B | {"hidden_size": "$8192"}, r"^hidden_size: '\$8192' given, must be a whole number from 1 to 1,000"),
        (QWEN3_8B | {"hidden_size": True}, "hidden_size: True given, must be a whole number from 1"),
        (
            {"model_type": "resnet", "hidden_sizes": [256]},
            "^no config.json of a language model: model_type resnet, and",
        ),
        ({}, "^no config.json of a language model: it has no model_type\nnum_hidden_layers: missing"),
    ],
)
def test_a_model_that_is_not_worked_out_here_is_refused_rather_than_guessed(config: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        shape_from_config(config)


# Each with the billions of its model card; ERNIE's is that of its name, 21B.
@pytest.mark.parametrize(
    ("config", "billions", "deviation", "attention"),
    [
        (E5_MISTRAL, 7.11, 0.001, "sliding"),
        (E5_MISTRAL | {"is_causal": False}, 7.11, 0.001, "encoder"),
        (MODERNBERT, 0.149, 0.005, "encoder"),
        (NOMIC, 0.137, 0.005, "encoder"),
        (EMBEDDING_GEMMA, 0.303, 0.005, "encoder"),
        (ERNIE, 21.83, 0.005, "full"),
    ],
)
def test_what_embeds_and_what_routes_has_the_parameters_of_its_model_card(
    config: dict[str, Any], billions: float, deviation: float, attention: str
) -> None:
    shape = shape_from_config(config)
    assert shape.transformer
    assert shape.parameters / 1e9 == pytest.approx(billions, rel=deviation)
    assert shape.transformer.attention.kind == attention


@pytest.mark.parametrize("model", [name for name, model in models().items() if model.transformer])
def test_the_parameters_of_the_catalog_are_those_of_its_dimensions(model: str) -> None:
    known = models()[model]
    assert known.transformer
    assert count_parameters(known.transformer) == pytest.approx(known.parameters, rel=0.02)


def compressed(kind: str, bits: int) -> dict[str, Any]:
    weights = {"type": kind, "num_bits": bits}
    return {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": weights}}}


@pytest.mark.parametrize(
    ("quantization", "precision"),
    [
        ({"quant_method": "awq", "bits": 4}, "int4"),
        ({"quant_method": "gptq", "bits": 8}, "int8"),
        ({"quant_method": "fp8"}, "fp8"),
        ({"quant_method": "fbgemm_fp8"}, "fp8"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "int4"),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "int8"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "nvfp4"),
        (compressed("float", 8), "fp8"),
        (compressed("float", 4), "nvfp4"),
        (compressed("int", 8), "int8"),
        (compressed("int", 4), "int4"),
    ],
)
def test_a_quantised_checkpoint_says_how(quantization: dict[str, Any], precision: str) -> None:
    assert shape_from_config(QWEN3_8B | {"quantization_config": quantization}).precision == precision


def test_a_quantisation_that_is_not_known_is_refused() -> None:
    with pytest.raises(InputError, match="quantization_config: quark is not known"):
        shape_from_config(QWEN3_8B | {"quantization_config": {"quant_method": "quark"}})


def test_everything_that_is_wrong_is_told_at_once() -> None:
    config = {"hidden_size": -1, "vocab_size": "many", "layer_types": ["linear_attention"], "torch_dtype": "float8"}
    with pytest.raises(InputError) as caught:
        shape_from_config(config)
    number = "must be a whole number from 1 to 1,000,000,000"
    assert str(caught.value).splitlines() == [
        "no config.json of a language model: it has no model_type",
        "num_hidden_layers: missing",
        f"hidden_size: -1 given, {number}",
        "num_attention_heads: missing",
        f"vocab_size: 'many' given, {number}",
        "max_position_embeddings: missing",
        "dtype: float8 is not known, float32, bfloat16, float16, fp8, int8, int4, mxfp4 or nvfp4 are",
    ]


@pytest.mark.parametrize("config", [None, [], "config.json", {"text_config": [1]}, {1: 2}, {"text_config": {1: 2}}])
def test_what_is_no_config_is_refused(config: Any) -> None:
    with pytest.raises(InputError, match="mapping"):
        shape_from_config(config)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


FIELDS = sorted({"text_config"}.union(*(hub.config.get("text_config", hub.config) for hub in HUB_CONFIGS.values())))


@example({"architectures": True})
@example({"num_attention_heads": 10**9, "head_dim": 10**9})
@given(st.dictionaries(st.sampled_from(FIELDS), values))
def test_any_config_gives_a_shape_or_an_error_to_act_on(changes: dict[str, Any]) -> None:
    for config in (changes, QWEN3_8B | changes, HUB_CONFIGS["Jamba 0.1"].config | changes):
        with suppress(InputError):
            assert shape_from_config(config).parameters > 0


def test_an_unknown_model_is_answered_with_a_near_one() -> None:
    with pytest.raises(InputError, match="did you mean 'Qwen/Qwen3-8B'"):
        shape_of("Qwen/Qwen3-8b")


@pytest.mark.parametrize("strange", [None, [], 8, b"Qwen/Qwen3-8B"])
def test_what_is_no_name_of_a_model_is_refused(strange: Any) -> None:
    with pytest.raises(InputError, match=r"model: .* given, must be the id of a model on the Hugging Face hub"):
        shape_of(strange)


def test_a_part_of_a_name_is_answered_with_the_models_that_have_it() -> None:
    with pytest.raises(
        InputError, match=r"catalog of models, meta-llama/Llama-3\.1-8B-Instruct, meta-llama/Llama-3\.3-"
    ):
        shape_of("llama")


def test_sizing_loads_no_sdk() -> None:
    code = "import json, sys, eksml.sizing; print(json.dumps([name for name in sys.modules if 'pulumi' in name]))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert json.loads(loaded) == []
