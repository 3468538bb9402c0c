"""Shapes from the catalog and from config.json."""

import json
import subprocess
import sys
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eksml.catalog import models
from eksml.errors import InputError
from eksml.sizing import count_parameters, shape_from_config, shape_of

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
    left_out = {"head_dimension"} if known.transformer.attention.kind == "mla" else set()
    assert ours.transformer.model_dump(exclude=left_out) == known.transformer.model_dump(exclude=left_out)


@pytest.mark.parametrize("model", [name for name, model in models().items() if model.transformer])
def test_the_parameters_of_the_catalog_are_those_of_its_dimensions(model: str) -> None:
    known = models()[model]
    assert known.transformer
    assert count_parameters(known.transformer) == pytest.approx(known.parameters, rel=0.02)


@pytest.mark.parametrize(("method", "precision"), [("awq", "int4"), ("gptq", "int4"), ("fp8", "fp8")])
def test_a_quantised_checkpoint_says_how(method: str, precision: str) -> None:
    config = QWEN3_8B | {"quantization_config": {"quant_method": method, "bits": 4}}
    assert shape_from_config(config).precision == precision


def test_everything_that_is_wrong_is_told_at_once() -> None:
    config = {"hidden_size": -1, "vocab_size": "many", "layer_types": ["linear_attention"], "torch_dtype": "float8"}
    with pytest.raises(InputError) as caught:
        shape_from_config(config)
    assert str(caught.value).splitlines() == [
        "num_hidden_layers: must be a positive number",
        "hidden_size: must be a positive number",
        "num_attention_heads: must be a positive number",
        "vocab_size: must be a positive number",
        "layer_types: how much linear_attention caches is not known here, only full_attention or sliding_attention",
        "quantization_config: float8 is not known, float32, bfloat16, float16, fp8, int8, int4, mxfp4 or nvfp4 are",
    ]


@pytest.mark.parametrize("config", [None, [], "config.json", {"text_config": [1]}])
def test_what_is_no_config_is_refused(config: Any) -> None:
    with pytest.raises(InputError, match="mapping"):
        shape_from_config(config)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@example({"architectures": True})
@given(st.dictionaries(st.sampled_from(sorted({*QWEN3_8B, *DEEPSEEK_V3, *GPT_OSS_20B, "text_config"})), values))
def test_any_config_gives_a_shape_or_an_error_to_act_on(changes: dict[str, Any]) -> None:
    for config in (changes, QWEN3_8B | changes):
        with suppress(InputError):
            assert shape_from_config(config).parameters > 0


def test_an_unknown_model_is_answered_with_a_near_one() -> None:
    with pytest.raises(InputError, match="did you mean 'Qwen/Qwen3-8B'"):
        shape_of("Qwen/Qwen3-8b")


def test_sizing_loads_no_sdk() -> None:
    code = "import json, sys, eksml.sizing; print(json.dumps([name for name in sys.modules if 'pulumi' in name]))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert json.loads(loaded) == []
