"""Which layers of a model attend to all tokens, slide, keep a state or have experts, as a config.json says it."""

from collections.abc import Mapping
from typing import Any

SAME = {
    "attention": "full_attention",
    "mamba": "linear_attention",
    "mamba2": "linear_attention",
    "chunked_attention": "sliding_attention",
    "*": "full_attention",
    "M": "linear_attention",
    "-": "mlp",
    "E": "moe",
}
"""Kinds of layers under other names: Granite's, Llama's, and the signs of Nemotron-H."""

WITHOUT_FEED_FORWARD = ("full_attention", "linear_attention")
"""What a layer is that has no feed-forward part, where that is a layer of its own."""


MOST = 10**9
"""Numbers above it are no dimensions."""


def number(text: Mapping[str, Any], *names: str) -> int | None:
    """The first of these fields that is a positive number."""
    for name in names:
        if isinstance(value := text.get(name), int) and not isinstance(value, bool) and 0 < value <= MOST:
            return value
    return None


def kinds_of_layers(text: Mapping[str, Any], layers: int) -> Any:
    """The kind of each layer; empty where it is not said; whatever stands there where that is no list."""
    if isinstance(pattern := text.get("hybrid_override_pattern"), str):
        return [SAME.get(sign, sign) for sign in pattern]
    given = text.get("layer_types") or text.get("layers_block_type")
    if given:
        return [SAME.get(str(kind), str(kind)) for kind in given] if isinstance(given, list) else given
    if every := number(text, "full_attention_interval"):
        return _kinds((index + 1) % every == 0 for index in range(layers))
    if every := number(text, "attn_layer_period"):
        return _kinds(index % every == text.get("attn_layer_offset", 0) for index in range(layers))
    if isinstance(indices := text.get("attn_layer_indices"), list) and indices:
        return _kinds(index in indices for index in range(layers))
    return []


def feed_forward_layers(kinds: list[str]) -> int | None:
    """Layers that have a feed-forward part; None: all."""
    if "mlp" not in kinds and "moe" not in kinds:
        return None
    return sum(kind not in WITHOUT_FEED_FORWARD for kind in kinds)


def layers_without_experts(text: Mapping[str, Any], layers: int) -> int:
    """Feed-forward parts that have no experts, of a model that has some."""
    kinds = kinds_of_layers(text, layers)
    if "mlp" in kinds or "moe" in kinds:
        return kinds.count("mlp")
    if first := number(text, "first_k_dense_replace", "moe_layer_start_index"):
        return first
    if every := number(text, "expert_layer_period"):
        offset = text.get("expert_layer_offset", 0)
        return sum(index % every != offset for index in range(layers))
    every = number(text, "decoder_sparse_step", "interleave_moe_layer_step") or 1
    only = text.get("mlp_only_layers")
    dense = {index for index in only if isinstance(index, int)} if isinstance(only, list) else set[int]()
    return sum((index + 1) % every != 0 or index in dense for index in range(layers))


def _kinds(attends: Any) -> list[str]:
    return ["full_attention" if each else "linear_attention" for each in attends]
