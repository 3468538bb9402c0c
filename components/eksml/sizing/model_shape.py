"""What a model is made of: from the catalog, or from the config.json that lies beside its weights."""

from collections.abc import Mapping
from typing import Any

from eksml.catalog import ModelShape, Transformer, models, precisions
from eksml.catalog.models import Attention, EncoderAttention, Experts, FullAttention, LatentAttention, SlidingAttention
from eksml.errors import InputError, listed, nearest

GENERATES = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")
KNOWN_LAYERS = {"full_attention", "sliding_attention"}
FULL_EVERY = {"gemma2": 2, "gemma3_text": 6, "gemma3": 6, "cohere2": 4}
"""Which layers attend to all tokens where an older config.json does not say, as transformers has them."""


def shape_of(model: str) -> ModelShape:
    """The shape of a model of the catalog, by its id on the Hugging Face hub."""
    if model not in models():
        raise InputError(f"{model}: not in the catalog of models{nearest(model, models())}")
    return models()[model]


def shape_from_config(config: Any) -> ModelShape:
    """The shape of a model from its Hugging Face config.json, read as a mapping.

    Parameters are counted from the dimensions: within one per cent, without what sees images.
    Raises InputError with everything that is missing or not known.
    """
    if not isinstance(config, Mapping):
        raise InputError(f"not a config.json of a model: a mapping is expected, not {type(config).__name__}")
    text = config.get("text_config") or config
    if not isinstance(text, Mapping):
        raise InputError("text_config: must be a mapping")
    if problems := [*_missing(text), *_unknown(config, text)]:
        raise InputError("\n".join(problems))
    transformer = _transformer(config, text)
    precision = _precision(config, text)
    parameters = count_parameters(transformer)
    experts = _expert_parameters(transformer) if precision == "mxfp4" else None
    return ModelShape(
        parameters=parameters, precision=precision, quantized_parameters=experts or None, transformer=transformer
    )


def count_parameters(transformer: Transformer) -> int:
    """The parameters of a transformer, by its matrices: biases, norms and positions are less than one per cent.

    Source: Llama (https://arxiv.org/abs/2302.13971) for decoders with a gated feed-forward part, BERT
    (https://arxiv.org/abs/1810.04805) for encoders, DeepSeek-V2 (https://arxiv.org/abs/2405.04434) for MLA.
    """
    dense = _feed_forward_matrices(transformer) * transformer.hidden_size * transformer.intermediate_size
    experts = transformer.experts
    dense_layers = min(experts.dense_layers, transformer.layers) if experts else transformer.layers
    router = experts.count * transformer.hidden_size * (transformer.layers - dense_layers) if experts else 0
    return (
        transformer.embedding_parameters
        + transformer.layers * _attention_parameters(transformer)
        + dense_layers * dense
        + _expert_parameters(transformer)
        + router
    )


def _feed_forward_matrices(transformer: Transformer) -> int:
    return 2 if transformer.attention.kind == "encoder" else 3


def _expert_parameters(transformer: Transformer) -> int:
    if not (experts := transformer.experts):
        return 0
    layers = max(0, transformer.layers - experts.dense_layers)
    return layers * (experts.count + experts.shared) * 3 * transformer.hidden_size * experts.intermediate_size


def _attention_parameters(transformer: Transformer) -> int:
    hidden, heads, attention = transformer.hidden_size, transformer.attention_heads, transformer.attention
    if not isinstance(attention, LatentAttention):
        return 2 * hidden * (heads + transformer.key_value_heads) * transformer.head_dimension
    query_dimension = attention.nope_head_dimension + attention.rope_head_dimension
    query = hidden * heads * query_dimension
    if attention.query_rank:
        query = attention.query_rank * (hidden + heads * query_dimension)
    compressed = hidden * (attention.key_value_rank + attention.rope_head_dimension)
    expanded = attention.key_value_rank * heads * (attention.nope_head_dimension + attention.value_head_dimension)
    return query + compressed + expanded + heads * attention.value_head_dimension * hidden


NAMES = {
    "num_hidden_layers": ("n_layers", "n_layer"),
    "hidden_size": ("dim", "n_embd"),
    "num_attention_heads": ("n_heads", "n_head"),
    "vocab_size": (),
}
"""Fields of a config.json without which there is no shape, and what some models call them."""


def _number(text: Mapping[str, Any], name: str, *others: str) -> int | None:
    for each in (name, *NAMES.get(name, ()), *others):
        if isinstance(value := text.get(each), int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def _needed(text: Mapping[str, Any], name: str) -> int:
    return _number(text, name) or 0


def _missing(text: Mapping[str, Any]) -> list[str]:
    return [f"{name}: must be a positive number" for name in NAMES if _number(text, name) is None]


def _unknown(config: Mapping[str, Any], text: Mapping[str, Any]) -> list[str]:
    problems = []
    types = text.get("layer_types") or []
    if not isinstance(types, list):
        problems.append("layer_types: must be a list")
    elif unknown := sorted({str(each) for each in types} - KNOWN_LAYERS):
        problems.append(
            f"layer_types: how much {listed(unknown)} caches is not known here, only {listed(sorted(KNOWN_LAYERS))}"
        )
    if _precision(config, text) not in precisions():
        problems.append(f"quantization_config: {_precision(config, text)} is not known, {listed(precisions())} are")
    return problems


def _precision(config: Mapping[str, Any], text: Mapping[str, Any]) -> str:
    quantization = config.get("quantization_config") or text.get("quantization_config")
    if not isinstance(quantization, Mapping):
        name = config.get("dtype") or config.get("torch_dtype") or text.get("dtype") or text.get("torch_dtype")
        return str(name or "float32")
    method = str(quantization.get("quant_method"))
    return f"int{quantization.get('bits', 4)}" if method in {"awq", "gptq"} else method


def _transformer(config: Mapping[str, Any], text: Mapping[str, Any]) -> Transformer:
    hidden, heads = _needed(text, "hidden_size"), _needed(text, "num_attention_heads")
    return Transformer(
        layers=_needed(text, "num_hidden_layers"),
        hidden_size=hidden,
        intermediate_size=_number(text, "intermediate_size", "hidden_dim", "n_inner") or 4 * hidden,
        attention_heads=heads,
        key_value_heads=_number(text, "num_key_value_heads") or heads,
        head_dimension=_number(text, "head_dim") or max(1, hidden // heads),
        vocabulary_size=_needed(text, "vocab_size"),
        context_length=_number(text, "max_position_embeddings", "n_positions") or 2048,
        attention=_attention(config, text),
        experts=_experts(text),
        tied_embeddings=bool(text.get("tie_word_embeddings", config.get("tie_word_embeddings", True))),
    )


def _attention(config: Mapping[str, Any], text: Mapping[str, Any]) -> Attention:
    architectures = config.get("architectures")
    names = [str(each) for each in architectures] if isinstance(architectures, list | tuple) else []
    if names and not any(name.endswith(GENERATES) for name in names):
        return EncoderAttention()
    if rank := _number(text, "kv_lora_rank"):
        return LatentAttention(
            key_value_rank=rank,
            rope_head_dimension=_number(text, "qk_rope_head_dim") or 64,
            query_rank=_number(text, "q_lora_rank"),
            nope_head_dimension=_number(text, "qk_nope_head_dim") or 128,
            value_head_dimension=_number(text, "v_head_dim") or 128,
        )
    window = _number(text, "sliding_window")
    if not window or text.get("use_sliding_window") is False:
        return FullAttention()
    return _sliding(text, window)


def _sliding(text: Mapping[str, Any], window: int) -> Attention:
    types = text.get("layer_types")
    if not types:
        pattern = _number(text, "sliding_window_pattern") or FULL_EVERY.get(str(text.get("model_type")))
        return SlidingAttention(window=window, full_every=pattern)
    full = types.count("full_attention")
    if full == len(types):
        return FullAttention()
    return SlidingAttention(window=window, full_every=len(types) // full if full else None)


def _experts(text: Mapping[str, Any]) -> Experts | None:
    count = _number(text, "num_local_experts", "n_routed_experts", "num_experts")
    size = _number(text, "moe_intermediate_size", "intermediate_size")
    if not count or not size:
        return None
    return Experts(
        count=count,
        active=_number(text, "num_experts_per_tok", "experts_per_token") or 1,
        shared=_number(text, "n_shared_experts") or 0,
        intermediate_size=size,
        dense_layers=_number(text, "first_k_dense_replace") or 0,
    )
