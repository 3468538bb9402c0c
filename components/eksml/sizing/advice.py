"""What to say of a model that does not fit, and what would."""

from collections.abc import Iterator
from dataclasses import replace

from eksml.catalog import ModelShape, precisions
from eksml.errors import listed
from eksml.sizing.inference import Fit, Serving, fit, groups_of, known_gpus

SHORTEST_CONTEXT = 1024
"""Tokens below which a shorter context is no advice."""

MUCH_LARGER = 1.1
"""How much more memory a GPU has that is advised."""

FEW_REQUESTS = 256
"""What an engine that may calculate more requests at once can be held to."""


def problem(fitted: Fit) -> str | None:
    """What is wrong, and what would be right; None: it fits."""
    if fitted.fits:
        return None
    serving = fitted.serving
    if heads := fitted.undivided_heads:
        return f"{heads} attention heads cannot be divided among {serving.tensor_parallel} GPUs"
    needed = fitted.weights_gib + fitted.overhead_gib.expected + fitted.kv_cache_gib
    cache = "" if fitted.kv_tokens is None else f", {fitted.kv_cache_gib:.1f} for {_requests(fitted)}"
    near = "" if fitted.is_certain else ", if barely"
    text = (
        f"does not fit{near}: {needed:.1f} GiB of each GPU are needed ({fitted.weights_gib:.1f} for weights"
        f"{cache}, {fitted.overhead_gib.expected:.1f} beside), and {fitted.available_gib:.1f} are there "
        f"({fitted.gpu_memory_utilization:g} of the {serving.gpu.visible_gib:.1f} that {serving.gpu.title} shows)"
    )
    ways = list(alternatives(fitted.model, serving))
    return f"{text}; it fits with {listed(ways)}" if ways else f"{text}; {_smallest_group(fitted.model, serving)}"


def alternatives(model: ModelShape, serving: Serving) -> Iterator[str]:
    """One change each with which the model fits, the mildest first, in the words of a Spec."""
    fitted = fit(model, serving)
    longest, most = fitted.largest_context, fitted.largest_concurrency
    if longest and SHORTEST_CONTEXT <= longest < fitted.context_length:
        yield f"contextLength {longest}"
    if most and most < serving.concurrency:
        yield f"concurrency {most}"
    if fitted.max_num_seqs > FEW_REQUESTS:
        yield from _fewer_requests(fit(model, replace(serving, max_num_seqs=FEW_REQUESTS)))
    if fitted.kv_tokens and serving.kv_precision != "fp8" and _fits(model, replace(serving, kv_precision="fp8")):
        yield "keys and values in fp8"
    if precision := _smaller_precision(model, serving):
        yield f"precision {precision}"
    if gpus := _more_gpus(model, serving):
        yield f"{gpus} GPUs for tensor parallelism"
    if gpu := _larger_gpu(model, serving):
        yield f"a larger GPU such as {gpu}"


def _fewer_requests(fitted: Fit) -> Iterator[str]:
    """Fewer requests of one step, alone or with a shorter context."""
    if fitted.fits:
        yield f"max_num_seqs {FEW_REQUESTS}"
    elif (longest := fitted.largest_context or 0) >= SHORTEST_CONTEXT:
        yield f"max_num_seqs {FEW_REQUESTS} with contextLength {longest}"


def _requests(fitted: Fit) -> str:
    count, tokens = fitted.serving.concurrency, fitted.context_length
    return f"a request of {tokens} tokens" if count == 1 else f"{count} requests of {tokens} tokens"


def _fits(model: ModelShape, serving: Serving) -> bool:
    return fit(model, serving).fits


def _smaller_precision(model: ModelShape, serving: Serving) -> str | None:
    bits = precisions()[fit(model, serving).precision].bits
    smaller = (name for name in ("bfloat16", "fp8", "int4") if precisions()[name].bits < bits)
    return next((name for name in smaller if _fits(model, replace(serving, precision=name))), None)


def _more_gpus(model: ModelShape, serving: Serving) -> int | None:
    if model.transformer is None or not serving.engine.shares_gpus:
        return None
    wider = (count for count in (2, 4, 8) if count > serving.tensor_parallel)
    return next((count for count in wider if _fits(model, replace(serving, tensor_parallel=count))), None)


def _larger_gpu(model: ModelShape, serving: Serving) -> str | None:
    larger = (gpu for gpu in known_gpus() if gpu.visible_gib > MUCH_LARGER * serving.gpu.visible_gib)
    return next((gpu.title for gpu in larger if _fits(model, replace(serving, gpu=gpu))), None)


def _smallest_group(model: ModelShape, serving: Serving) -> str:
    """The least memory that holds the model, in GPUs of one node."""
    groups = [
        (count * gpu.visible_gib, count, gpu.title)
        for gpu in known_gpus()
        for count in groups_of(8, serving.engine)
        if _fits(model, replace(serving, gpu=gpu, tensor_parallel=count, pipeline_parallel=1))
    ]
    if not groups and not serving.engine.shares_gpus:
        return "no GPU holds it: a smaller precision, a shorter context or vLLM, which divides it among several, would"
    if not groups:
        return "no eight GPUs of one node hold it: a smaller precision, a shorter context or several nodes would"
    _, count, title = min(groups)
    return f"it fits on {count} GPU{'s' if count > 1 else ''} such as {title}"
