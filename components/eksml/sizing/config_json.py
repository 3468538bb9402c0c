"""What a model is made of, from the config.json that lies beside its weights on the Hugging Face hub."""

import reprlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from eksml.catalog import (
    Attention,
    EncoderAttention,
    Experts,
    FullAttention,
    LatentAttention,
    ModelShape,
    SlidingAttention,
    Transformer,
    model_types,
    precisions,
)
from eksml.errors import InputError, listed
from eksml.sizing.layers import MOST, feed_forward_layers, kinds_of_layers, layers_without_experts, number
from eksml.sizing.model_shape import count_parameters, expert_parameters
from eksml.sizing.recurrent import recurrent_attention
from eksml.sizing.vision import vision_parameters, vision_problems

Config = Mapping[str, Any]

GENERATES = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")
KINDS = ("full_attention", "linear_attention", "mlp", "moe", "sliding_attention")
NAMES = {
    "num_hidden_layers": ("n_layers", "n_layer"),
    "hidden_size": ("dim", "n_embd", "d_model"),
    "num_attention_heads": ("n_heads", "n_head"),
    "vocab_size": (),
    "max_position_embeddings": ("n_positions", "max_seq_len", "seq_length"),
}
"""Fields of a config.json without which there is no shape, and what some models call them."""

EXPERTS = ("num_local_experts", "n_routed_experts", "num_experts", "moe_num_experts")
"""What models call the number of their experts."""

FEED_FORWARD = ("hidden_dim", "ffn_dim", "n_inner")
"""What some models call the width of the feed-forward part."""

NOT_READ = {
    "block_configs": "layers of several sizes",
    "block_types": "layers of its own kind",
    "attn_type_list": "layers of its own kind",
    "linear_attn_config": "linear attention of its own kind",
    "state_size": "a state instead of attention",
    "is_encoder_decoder": "an encoder beside its decoder",
    "num_kv_shared_layers": "layers that share their cache",
    "hidden_size_per_layer_input": "an embedding for each layer",
    "enable_moe_block": "experts beside a dense part",
    "ffn_config": "a feed-forward part of its own kind",
    "moe_latent_size": "experts of another width than its layers",
}
"""Fields of models whose memory is not worked out here, and what they mean."""


def shape_from_config(config: Any) -> ModelShape:
    """The shape of a model from its Hugging Face config.json, read as a mapping.

    Parameters are counted from the dimensions: within one per cent, with what sees images. What is left out is
    taken from the defaults of the model's class. Raises InputError with everything that is missing or not known.
    """
    if not isinstance(config, Mapping):
        raise InputError(f"not a config.json of a model: a mapping is expected, not {type(config).__name__}")
    text = config.get("text_config") or config
    if not isinstance(text, Mapping):
        raise InputError("text_config: must be a mapping")
    if strange := [name for name in (*config, *text) if not isinstance(name, str)]:
        raise InputError(f"not a config.json of a model: a mapping of names is expected, {strange[0]!r} is none")
    kind = _model_type(config, text)
    text = {**model_types().fields.get(kind, {}), **text}
    if problems := list(_problems(config, text)):
        raise InputError("\n".join(problems))
    transformer = _transformer(config, text, kind)
    precision = _precision(config, text)
    quantized = expert_parameters(transformer) if precision == "mxfp4" else None
    vision = vision_parameters(config, transformer.hidden_size)
    return ModelShape(
        parameters=count_parameters(transformer) + vision,
        vision_parameters=vision,
        precision=precision,
        quantized_parameters=quantized or None,
        transformer=transformer,
    )


def _model_type(config: Config, text: Config) -> str:
    kind = str(text.get("model_type") or config.get("model_type"))
    return "gemma3_text" if kind == "gemma3" else kind


def _number(text: Config, name: str, *others: str) -> int | None:
    return number(text, name, *NAMES.get(name, ()), *others)


def _needed(text: Config, name: str) -> int:
    return _number(text, name) or 0


def _problems(config: Config, text: Config) -> Iterator[str]:
    if beside := list(vision_problems(config)):
        yield from beside
        return
    if strange := [name for name in NOT_READ if text.get(name)]:
        yield from (f"{name}: a model with {NOT_READ[name]} is not worked out here" for name in strange)
        return
    if strange := _strange_experts(text):
        yield from (f"{name}: experts that are said so are not worked out here" for name in strange)
        return
    missing = [name for name in NAMES if _number(text, name) is None]
    if missing and (reason := _no_language_model(config, text)):
        yield f"no config.json of a language model: {reason}"
    for name in missing:
        value = _given(text, name)
        given = f"{reprlib.repr(value)} given, must be a whole number from 1 to {MOST:,}"
        yield f"{name}: {'missing' if value is None else given}"
    if "num_hidden_layers" not in missing:
        yield from _problems_of_layers(text)
    if (precision := _precision(config, text)) not in precisions():
        field = "quantization_config" if _quantization(config, text) else "dtype"
        yield f"{field}: {precision} is not known, {listed(precisions())} are"


def _no_language_model(config: Config, text: Config) -> str | None:
    """Why it describes none; None: it seems to."""
    if not (kind := text.get("model_type") or config.get("model_type")):
        return "it has no model_type"
    return f"model_type {kind}, and no vocab_size" if _given(text, "vocab_size") is None else None


def _given(text: Config, name: str) -> Any:
    return next((text[each] for each in (name, *NAMES[name]) if text.get(each) is not None), None)


def _problems_of_layers(text: Config) -> Iterator[str]:
    layers = _needed(text, "num_hidden_layers")
    kinds = kinds_of_layers(text, layers)
    if not isinstance(kinds, list) or len(kinds) not in (0, layers):
        yield f"layer_types: must be a list of the kinds of all {layers} layers"
        return
    if unknown := sorted({str(kind) for kind in kinds} - set(KINDS)):
        yield f"layer_types: how much {listed(unknown)} caches is not known here, only {listed(KINDS)}"
    if "sliding_attention" in kinds and _number(text, "sliding_window", "attention_chunk_size") is None:
        yield "sliding_window: must be a positive number where layers slide"
    if {"linear_attention", "sliding_attention"} <= set(kinds):
        yield "layer_types: layers that slide beside layers that keep a state are not worked out here"
    if (has_state := "linear_attention" in kinds) or any(name.startswith("mamba_d_") for name in text):
        if not has_state:
            yield "layer_types: which layers keep a state must be said"
        elif recurrent_attention(text, Counter(kinds), hidden_size=_needed(text, "hidden_size")) is None:
            yield "layer_types: how large a state linear_attention keeps is not said in a way that is known here"


def _quantization(config: Config, text: Config) -> Config | None:
    found = config.get("quantization_config") or text.get("quantization_config")
    return found if isinstance(found, Mapping) else None


def _precision(config: Config, text: Config) -> str:
    if (quantization := _quantization(config, text)) is None:
        name = config.get("dtype") or config.get("torch_dtype") or text.get("dtype") or text.get("torch_dtype")
        return str(name or "float32").removeprefix("torch.")
    method = str(quantization.get("quant_method")).lower()
    match method:
        case "awq" | "gptq" | "auto-round":
            return f"int{quantization.get('bits', 4)}"
        case "bitsandbytes":
            return "int8" if quantization.get("load_in_8bit") else "int4"
        case "fbgemm_fp8":
            return "fp8"
        case "modelopt":
            return str(quantization.get("quant_algo")).lower()
        case "compressed-tensors":
            return _compressed(quantization)
    return method


def _compressed(quantization: Config) -> str:
    """The precision of compressed-tensors, of the first group of layers."""
    groups = quantization.get("config_groups")
    first = next(iter(groups.values()), None) if isinstance(groups, Mapping) else None
    weights = first.get("weights") if isinstance(first, Mapping) else None
    if not isinstance(weights, Mapping):
        return "compressed-tensors"
    bits = weights.get("num_bits")
    if weights.get("type") == "int":
        return f"int{bits}"
    return "nvfp4" if bits == 4 else f"fp{bits}"


def _transformer(config: Config, text: Config, kind: str) -> Transformer:
    hidden, heads, layers = (
        _needed(text, name) for name in ("hidden_size", "num_attention_heads", "num_hidden_layers")
    )
    kinds = kinds_of_layers(text, layers)
    tied = text.get("tie_word_embeddings", config.get("tie_word_embeddings", kind in model_types().tied_embeddings))
    attention = _attention(config, text, kind)
    return Transformer(
        layers=layers,
        hidden_size=hidden,
        # That of layers without experts, where both have one.
        intermediate_size=_number(text, "intermediate_size_mlp", "intermediate_size", *FEED_FORWARD) or 4 * hidden,
        attention_heads=heads,
        key_value_heads=_key_value_heads(text) or heads,
        head_dimension=_head_dimension(attention) or _number(text, "head_dim") or max(1, hidden // heads),
        vocabulary_size=_needed(text, "vocab_size"),
        context_length=_needed(text, "max_position_embeddings"),
        attention=attention,
        experts=_experts(text, layers),
        tied_embeddings=bool(tied) or not _generates(config),
        gated=_is_gated(config, text, kind),
        feed_forward_layers=feed_forward_layers(kinds),
    )


def _is_gated(config: Config, text: Config, kind: str) -> bool:
    if _is_decoder(config, text, kind):
        return kind not in model_types().ungated
    return kind in model_types().gated_encoders


def _head_dimension(attention: Attention) -> int | None:
    """That of the queries and keys of MLA, whatever config.json says."""
    is_latent = isinstance(attention, LatentAttention)
    return attention.nope_head_dimension + attention.rope_head_dimension if is_latent else None


def _key_value_heads(text: Config) -> int | None:
    """Falcon's first models say with a field of its own that all heads share one."""
    if text.get("multi_query") and not text.get("new_decoder_architecture"):
        return 1
    return _number(text, "num_key_value_heads", "num_kv_heads")


def _generates(config: Config) -> bool:
    """Whether it has a head that makes text; without a word about it, it has."""
    architectures = config.get("architectures")
    names = [str(each) for each in architectures] if isinstance(architectures, list | tuple) else []
    return not names or any(name.endswith(GENERATES) for name in names)


def _is_decoder(config: Config, text: Config, kind: str) -> bool:
    """Whether its layers are those of a decoder, also where it embeds or judges: only they share keys and values."""
    shares = _number(text, "num_key_value_heads") is not None and kind not in model_types().gated_encoders
    return _generates(config) or shares


def _is_encoder(config: Config, text: Config, kind: str) -> bool:
    """Whether all of its tokens attend to each other, which a decoder that embeds may be made to do."""
    both_ways = bool(text.get("use_bidirectional_attention")) or text.get("is_causal") is False
    return not _is_decoder(config, text, kind) or (both_ways and not _generates(config))


def _attention(config: Config, text: Config, kind: str) -> Attention:
    if _is_encoder(config, text, kind):
        return EncoderAttention()
    if rank := _number(text, "kv_lora_rank"):
        return LatentAttention(
            key_value_rank=rank,
            rope_head_dimension=_number(text, "qk_rope_head_dim") or 64,
            query_rank=_number(text, "q_lora_rank"),
            nope_head_dimension=_number(text, "qk_nope_head_dim") or 128,
            value_head_dimension=_number(text, "v_head_dim") or 128,
            index_head_dimension=_number(text, "index_head_dim"),
        )
    layers = _needed(text, "num_hidden_layers")
    counted = Counter(kinds_of_layers(text, layers))
    recurrent = recurrent_attention(text, counted, hidden_size=_needed(text, "hidden_size"))
    return recurrent or _sliding(text, kind, counted, layers) or FullAttention()


def _sliding(text: Config, kind: str, counted: Counter[str], layers: int) -> Attention | None:
    window = _number(text, "sliding_window", "attention_chunk_size")
    if not window or (not counted and _never_slides(text)):
        return None
    full = counted["full_attention"] if counted else layers // every if (every := _full_every(text, kind)) else 0
    if full == layers:
        return None
    return SlidingAttention(
        window=window,
        full_layers=full,
        full_key_value_heads=_number(text, "num_global_key_value_heads"),
        full_head_dimension=_number(text, "global_head_dim"),
    )


def _never_slides(text: Config) -> bool:
    """Qwen's models have a window that is not used unless it is said."""
    is_qwen = str(text.get("model_type")).startswith("qwen")
    return not text.get("use_sliding_window", not is_qwen)


def _full_every(text: Config, kind: str) -> int | None:
    pattern = text.get("sliding_window_pattern") or text.get("_sliding_window_pattern")
    if isinstance(pattern, str) and pattern:
        # Such as LLLG: three layers that slide, and one that does not.
        return len(pattern)
    return pattern if isinstance(pattern, int) and pattern > 0 else model_types().full_every.get(kind)


def _strange_experts(text: Config) -> list[str]:
    """Fields that look like a number of experts, or a list of them, where none says it in a way that is known."""
    if number(text, *EXPERTS):
        return []
    return [
        name
        for name, value in text.items()
        if name.endswith("experts") and (number(text, name) or isinstance(value, list))
    ]


def _experts(text: Config, layers: int) -> Experts | None:
    count = number(text, *EXPERTS)
    size = _number(text, "moe_intermediate_size", "intermediate_size")
    if not count or not size:
        return None
    return Experts(
        count=count,
        active=_number(text, "num_experts_per_tok", "experts_per_token", "top_k_experts", "moe_k") or 1,
        shared=_shared_experts(text, size),
        intermediate_size=size,
        dense_layers=layers_without_experts(text, layers),
    )


def _shared_experts(text: Config, size: int) -> int:
    """Experts that every token passes through, each as large as the others."""
    width = _number(
        text, "shared_expert_intermediate_size", "moe_shared_expert_intermediate_size", "shared_intermediate_size"
    )
    if width:
        return max(1, round(width / size))
    llama4 = text.get("model_type") == "llama4_text"
    return _number(text, "n_shared_experts", "num_shared_experts", "moe_num_shared_experts") or int(llama4)
