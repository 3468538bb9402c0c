"""Layers that keep a state of one size instead of keys and values: Mamba and linear attention.

Sources: Mamba (https://arxiv.org/abs/2312.00752), Mamba 2 (https://arxiv.org/abs/2405.21060), Gated DeltaNet
(https://arxiv.org/abs/2412.06464), and their modules in Transformers; the states that an engine keeps of them are the
shapes of MambaStateShapeCalculator in https://docs.vllm.ai/en/latest/api/vllm/model_executor/layers/mamba/mamba_utils/.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from eksml.catalog import RecurrentAttention
from eksml.sizing.layers import number

CONVOLUTION_BYTES = 2
"""A number of the convolution's state, which is in the precision of the calculation."""


class Recurrence(NamedTuple):
    """The numbers of one layer."""

    state: int
    convolution: int
    parameters: int


def recurrent_attention(text: Mapping[str, Any], kinds: Counter[str], *, hidden_size: int) -> RecurrentAttention | None:
    """The attention of a model some of whose layers keep a state; None: there are none, or of no kind known here."""
    if not kinds["linear_attention"]:
        return None
    layer = _gated_delta_net(text, hidden_size) or _mamba2(text, hidden_size) or _mamba(text, hidden_size)
    if layer is None:
        return None
    is_wide = "float32" in (text.get("mamba_ssm_dtype"), text.get("mamba_ssm_cache_dtype"))
    return RecurrentAttention(
        full_layers=kinds["full_attention"],
        recurrent_layers=kinds["linear_attention"],
        state_bytes=layer.state * (4 if is_wide else 2) + layer.convolution * CONVOLUTION_BYTES,
        parameters=layer.parameters,
        gated_queries=bool(text.get("attn_output_gate")),
    )


def _gated_delta_net(text: Mapping[str, Any], hidden: int) -> Recurrence | None:
    """Of Qwen3-Next, Qwen3.5 and later."""
    key_heads, key_dimension = number(text, "linear_num_key_heads"), number(text, "linear_key_head_dim")
    value_heads, value_dimension = number(text, "linear_num_value_heads"), number(text, "linear_value_head_dim")
    if not (key_heads and key_dimension and value_heads and value_dimension):
        return None
    keys, values = key_heads * key_dimension, value_heads * value_dimension
    kernel = number(text, "linear_conv_kernel_dim") or 4
    # Queries, keys, values and a gate; two numbers for each head of the values; the way out; the convolution.
    parameters = hidden * (2 * keys + 2 * values + 2 * value_heads) + values * hidden + (2 * keys + values) * kernel
    return Recurrence(values * key_dimension, (kernel - 1) * (2 * keys + values), parameters)


def _mamba2(text: Mapping[str, Any], hidden: int) -> Recurrence | None:
    """Of Nemotron-H, Granite 4 and Bamba."""
    heads = number(text, "mamba_num_heads", "mamba_n_heads")
    size = number(text, "ssm_state_size", "mamba_d_state")
    if not heads or not size:
        return None
    dimension = number(text, "mamba_head_dim", "mamba_d_head") or (number(text, "mamba_expand") or 2) * hidden // heads
    groups = number(text, "mamba_n_groups", "n_groups") or 1
    kernel = number(text, "mamba_d_conv", "conv_kernel") or 4
    inner = heads * dimension
    convolved = inner + 2 * groups * size
    parameters = hidden * (inner + convolved + heads) + inner * hidden + convolved * kernel
    return Recurrence(inner * size, (kernel - 1) * convolved, parameters)


def _mamba(text: Mapping[str, Any], hidden: int) -> Recurrence | None:
    """Of Jamba."""
    size = number(text, "mamba_d_state")
    if not size:
        return None
    inner = (number(text, "mamba_expand") or 2) * hidden
    rank = number(text, "mamba_dt_rank") or -(-hidden // 16)
    kernel = number(text, "mamba_d_conv") or 4
    parameters = 3 * hidden * inner + inner * (rank + 2 * size) + rank * inner + inner * (kernel + size)
    return Recurrence(inner * size, (kernel - 1) * inner, parameters)
