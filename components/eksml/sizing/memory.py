"""How much memory the parts of a served model take, each by a formula with its source. A GiB is 2**30 bytes."""

from math import ceil

from eksml.catalog import (
    InferenceEngine,
    LatentAttention,
    ModelShape,
    RecurrentAttention,
    SlidingAttention,
    Transformer,
    precisions,
)
from eksml.errors import InputError, listed

GIB = 2**30
GB = 10**9


def weights_bytes(model: ModelShape, precision: str | None = None) -> float:
    """What the weights take in a precision; None: the one that they are published in.

    Quantised weights come with scales, and embedding and head stay in 16 bit. Source: AWQ
    (https://arxiv.org/abs/2306.00978), whose checkpoints are so; the scales are those of precisions().
    """
    how = precisions()[precision or model.precision]
    if not how.quantized:
        return model.parameters * how.bits / 8
    kept = min(model.kept_parameters, model.parameters)
    return kept * 2 + (model.parameters - kept) * (how.bits + how.scale_bits) / 8


def weights_bytes_per_gpu(
    model: ModelShape, precision: str | None, tensor_parallel: int, pipeline_parallel: int
) -> float:
    """What the weights take on the fullest GPU.

    Tensor parallelism divides every matrix, embedding and head too; a pipeline divides the layers, and its first or
    last stage has embedding or head, the first what sees images too. Source: Megatron-LM
    (https://arxiv.org/abs/1909.08053 and https://arxiv.org/abs/2104.04473).
    """
    total = weights_bytes(model, precision) + _padding_bytes(model, precision, tensor_parallel)
    if model.transformer is None or pipeline_parallel == 1:
        return total / (tensor_parallel * pipeline_parallel)
    width = max(16, precisions()[precision or model.precision].bits) / 8
    embeddings = model.transformer.embedding_parameters * width
    vision = model.vision_parameters * width
    one_end = model.transformer.vocabulary_size * model.transformer.hidden_size * width + vision
    share = ceil(model.transformer.layers / pipeline_parallel) / model.transformer.layers
    return ((total - embeddings - vision) * share + one_end) / tensor_parallel


def _padding_bytes(model: ModelShape, precision: str | None, tensor_parallel: int) -> float:
    """What kernels add to the experts' matrices where their sizes are no multiples of what they work on."""
    how = precisions()[precision or model.precision]
    if model.transformer is None or not (experts := model.transformer.experts):
        return 0
    hidden, inner = model.transformer.hidden_size, experts.intermediate_size / tensor_parallel
    wider = _rounded_up(hidden, how.pad_hidden) / hidden * _rounded_up(inner, how.pad_intermediate) / inner
    quantized = (model.parameters - model.kept_parameters) * (how.bits + how.scale_bits) / 8
    return quantized * (wider - 1)


def _rounded_up(number: float, multiple: int) -> float:
    return ceil(number / multiple) * multiple if multiple > 1 else number


def disk_gb(model: ModelShape, precision: str | None = None) -> float:
    """The size of the checkpoint in GB (10**9 bytes): what a cold start has to fetch.

    Raises InputError for a precision that is not known.
    """
    if precision is not None and precision not in list(precisions()):
        raise InputError(f"precision: {precision} is not known, {listed(precisions())} are")
    draft = model.draft_parameters * precisions()[precision or model.precision].bits / 8
    return (weights_bytes(model, precision) + draft) / GB


def cache_bytes_per_token(transformer: Transformer, *, tensor_parallel: int, bits: int) -> float:
    """What one token takes in the cache of one layer, on each GPU.

    Keys and values of the heads that the GPU has: beyond the number of heads, tensor parallelism replicates them, and
    the latent vector of MLA belongs to all heads, so every GPU has it whole. Source: GQA
    (https://arxiv.org/abs/2305.13245), DeepSeek-V2 (https://arxiv.org/abs/2405.04434) and page_size_bytes in
    https://docs.vllm.ai/en/v0.11.0/api/vllm/v1/kv_cache_interface.html.
    """
    attention = transformer.attention
    if attention.kind == "encoder":
        return 0
    if isinstance(attention, LatentAttention):
        # The index is in 8 bit, with a scale of 32 for each 128 numbers.
        index = (attention.index_head_dimension or 0) * (1 + 4 / 128)
        return (attention.key_value_rank + attention.rope_head_dimension) * bits / 8 + index
    return _heads_bytes(transformer.key_value_heads, transformer.head_dimension, tensor_parallel, bits)


def _heads_bytes(key_value_heads: int, head_dimension: int, tensor_parallel: int, bits: int) -> float:
    """Keys and values of one token, of the heads that a GPU has."""
    return 2 * max(1, ceil(key_value_heads / tensor_parallel)) * head_dimension * bits / 8


def request_cache_bytes(
    transformer: Transformer,
    tokens: int,
    *,
    tensor_parallel: int,
    pipeline_parallel: int,
    bits: int,
    engine: InferenceEngine,
    max_num_batched_tokens: int,
) -> float:
    """What a request of so many tokens takes in the cache of each GPU.

    A layer that attends to all tokens keeps all of them; a sliding one keeps its window and the tokens of the steps
    that are under way. Both in whole blocks, and one more where the window slides. A layer with a state keeps as many
    of it as the engine wants. Source: max_memory_usage_bytes in vllm/v1/kv_cache_interface.py. That vLLM fills its
    groups of layers up to equal size is left out.
    """
    per_token = cache_bytes_per_token(transformer, tensor_parallel=tensor_parallel, bits=bits)
    attention = transformer.attention
    block = engine.block_tokens * per_token
    blocks = ceil(tokens / engine.block_tokens)
    if isinstance(attention, RecurrentAttention):
        kept = ceil(attention.recurrent_layers / pipeline_parallel) * attention.state_bytes / tensor_parallel
        return engine.states * kept + ceil(attention.full_layers / pipeline_parallel) * blocks * block
    if not isinstance(attention, SlidingAttention):
        return ceil(transformer.layers / pipeline_parallel) * blocks * block
    heads = attention.full_key_value_heads or transformer.key_value_heads
    dimension = attention.full_head_dimension or transformer.head_dimension
    full_block = engine.block_tokens * _heads_bytes(heads, dimension, tensor_parallel, bits)
    window = min(tokens, attention.window - 1 + engine.concurrent_steps * max_num_batched_tokens)
    slid = min(blocks, ceil(window / engine.block_tokens) + 1)
    sliding_layers = transformer.layers - attention.full_layers
    return (
        ceil(attention.full_layers / pipeline_parallel) * blocks * full_block
        + ceil(sliding_layers / pipeline_parallel) * slid * block
    )


def activation_bytes(transformer: Transformer, tokens: int, *, tensor_parallel: int, bytes_per_number: float) -> float:
    """What calculating so many tokens at once takes: the largest of a layer's tensors that exist together.

    Gate, up and their product, which tensor parallelism divides, beside four copies of the hidden state; with experts,
    the workspaces of the fused kernel for each expert of a token. Source: the modules of Llama
    (https://arxiv.org/abs/2302.13971) and fused_experts in vllm/model_executor/layers/fused_moe; the copies are set so
    that the profiling runs in tests/sizing come out.
    """
    numbers = 4 * transformer.hidden_size + 3 * transformer.intermediate_size / tensor_parallel
    if experts := transformer.experts:
        inner = experts.intermediate_size / tensor_parallel
        numbers = 4 * transformer.hidden_size + experts.active * (max(2 * inner, transformer.hidden_size) + inner)
    return tokens * numbers * bytes_per_number


def sampling_bytes(transformer: Transformer, requests: int, bytes_per_logit: int) -> float:
    """What sampling takes: the engine's bytes for each entry of the vocabulary and request; no parallelism divides it.

    Source: the sampler of vLLM's profiling run with max_num_seqs requests, as its logs in tests/sizing have it.
    """
    return requests * transformer.vocabulary_size * bytes_per_logit
