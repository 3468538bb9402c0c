"""What a model of the catalog is made of, and how many parameters its dimensions make."""

import reprlib

from eksml.catalog import LatentAttention, ModelShape, RecurrentAttention, SlidingAttention, Transformer, models
from eksml.errors import InputError, listed, nearest


def shape_of(model: str) -> ModelShape:
    """The shape of a model of the catalog, by its id on the Hugging Face hub. Raises InputError, with near ones."""
    if not isinstance(model, str):
        raise InputError(f"model: {reprlib.repr(model)} given, must be the id of a model on the Hugging Face hub")
    if model not in models():
        similar = [name for name in models() if model.lower() in name.lower()]
        near = f", {listed(similar)} are" if model and len(similar) > 1 else nearest(model, similar or models())
        raise InputError(f"{model}: not in the catalog of models{near}")
    return models()[model]


def count_parameters(transformer: Transformer) -> int:
    """The parameters of a transformer, by its matrices: biases, norms and positions are less than one per cent.

    Source: Llama (https://arxiv.org/abs/2302.13971) for decoders with a gated feed-forward part, BERT
    (https://arxiv.org/abs/1810.04805) for encoders, DeepSeek-V2 (https://arxiv.org/abs/2405.04434) for MLA, Gated
    DeltaNet (https://arxiv.org/abs/2412.06464) and Mamba (https://arxiv.org/abs/2312.00752,
    https://arxiv.org/abs/2405.21060) for layers that keep a state.
    """
    hidden, experts = transformer.hidden_size, transformer.experts
    dense = transformer.feed_forward_matrices * hidden * transformer.intermediate_size
    router = experts.count * hidden if experts else 0
    return (
        transformer.embedding_parameters
        + _attention_parameters(transformer)
        + transformer.dense_layers * dense
        + expert_parameters(transformer)
        + transformer.expert_layers * router
    )


def expert_parameters(transformer: Transformer) -> int:
    """The parameters of all experts of all layers, shared ones included."""
    if not (experts := transformer.experts):
        return 0
    return transformer.expert_layers * (experts.count + experts.shared) * transformer.expert_parameters


def _attention_parameters(transformer: Transformer) -> int:
    attention = transformer.attention
    layer = _layer_attention_parameters(transformer)
    if isinstance(attention, RecurrentAttention):
        return attention.full_layers * layer + attention.recurrent_layers * attention.parameters
    if isinstance(attention, SlidingAttention) and attention.full_head_dimension:
        heads = transformer.attention_heads + (attention.full_key_value_heads or transformer.key_value_heads)
        full = 2 * transformer.hidden_size * heads * attention.full_head_dimension
        return attention.full_layers * full + (transformer.layers - attention.full_layers) * layer
    return transformer.layers * layer


def _layer_attention_parameters(transformer: Transformer) -> int:
    hidden, heads, attention = transformer.hidden_size, transformer.attention_heads, transformer.attention
    if not isinstance(attention, LatentAttention):
        gate = heads if isinstance(attention, RecurrentAttention) and attention.gated_queries else 0
        return hidden * (2 * heads + 2 * transformer.key_value_heads + gate) * transformer.head_dimension
    query_dimension = attention.nope_head_dimension + attention.rope_head_dimension
    query = hidden * heads * query_dimension
    if attention.query_rank:
        query = attention.query_rank * (hidden + heads * query_dimension)
    compressed = hidden * (attention.key_value_rank + attention.rope_head_dimension)
    expanded = attention.key_value_rank * heads * (attention.nope_head_dimension + attention.value_head_dimension)
    return query + compressed + expanded + heads * attention.value_head_dimension * hidden
