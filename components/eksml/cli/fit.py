"""`eksml fit`: on which instances a model can be served."""

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from eksml.cli.arguments import AsJson
from eksml.cli.model import Instance, ModelName, Region, shape_named

if TYPE_CHECKING:
    from eksml.catalog import ModelShape
    from eksml.costs import ServedModelCost
    from eksml.sizing import Serving, ServingInstance


def fit(
    model: ModelName,
    instance: Instance = None,
    region: Region = "us-west-2",
    precision: Annotated[
        str | None, typer.Option(help="Of the weights, such as fp8. Default: as published.", show_default=False)
    ] = None,
    kv_precision: Annotated[
        str | None, typer.Option(help="Of keys and values, such as fp8. Default: 16 bit.", show_default=False)
    ] = None,
    context: Annotated[
        int | None, typer.Option(help="Tokens of a request. Default: all that it takes.", show_default=False)
    ] = None,
    concurrency: Annotated[int, typer.Option(help="Requests of that length at once.")] = 1,
    engine: Annotated[Literal["vllm", "transformers"], typer.Option(help="What serves it.")] = "vllm",
    max_num_batched_tokens: Annotated[
        int | None, typer.Option(help="Tokens of one step. Default: the engine's.", show_default=False)
    ] = None,
    max_num_seqs: Annotated[
        int | None, typer.Option(help="Requests of one step. Default: the engine's.", show_default=False)
    ] = None,
    gpu_memory_utilization: Annotated[
        float | None, typer.Option(help="Share of the GPU's memory. Default: the engine's.", show_default=False)
    ] = None,
    tokens_per_second: Annotated[
        float | None,
        typer.Option(help="What --instance makes, as measured: prices a million tokens.", show_default=False),
    ] = None,
    requests_per_hour: Annotated[
        float | None, typer.Option(help="What --instance answers: prices a thousand requests.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show on which instances a model can be served, the cheapest first.

    Of each GPU, and of each number of them that shares the model, the cheapest type; several nodes of a type where none
    holds it alone. Exit code 1 if it fits nowhere. With what a load test measured on one of them, what requests and
    tokens cost.

    \b
    Examples:
      eksml fit Qwen/Qwen2.5-7B-Instruct --context 16384 --concurrency 8
      eksml fit meta-llama/Llama-3.1-8B-Instruct --instance g6.2xlarge
      eksml fit meta-llama/Llama-3.1-8B-Instruct --instance g6.2xlarge --tokens-per-second 700
      eksml fit meta-llama/Llama-3.3-70B-Instruct --precision fp8 --json
    """
    from eksml.catalog import inference_engines
    from eksml.cli.instances_table import no_answer
    from eksml.sizing import GpuMemory, Serving, serving_instances

    shape = shape_named(model)
    serving = Serving(
        gpu=GpuMemory("any GPU", 0.0),
        precision=precision,
        kv_precision=kv_precision,
        context_length=context,
        concurrency=concurrency,
        engine=inference_engines()[engine],
        gpu_memory_utilization=gpu_memory_utilization,
        max_num_batched_tokens=max_num_batched_tokens,
        max_num_seqs=max_num_seqs,
    )
    found = serving_instances(shape, serving, region, only=instance)
    price = _price(instance, region, found[0].nodes if found else 1, requests_per_hour, tokens_per_second)
    if as_json:
        content: dict[str, Any] = {"model": model, "region": region, "instances": [_as_json(each) for each in found]}
        if price:
            content["usdPerThousandRequests"] = price.usd_per_thousand_requests
            content["usdPerMillionTokens"] = price.usd_per_million_tokens
        typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
    elif found:
        prices = _price_notes(price, requests_per_hour, tokens_per_second)
        _show(model, found, region, prices, with_explanation=instance is not None)
    if not found:
        raise no_answer(_why_not(model, shape, serving, instance))


def _price(
    instance: str | None, region: str, nodes: int, requests_per_hour: float | None, tokens_per_second: float | None
) -> "ServedModelCost | None":
    """What requests and tokens cost, where it is said how many there are."""
    from eksml.errors import InputError

    if requests_per_hour is None and tokens_per_second is None:
        return None
    if instance is None:
        raise InputError("--tokens-per-second, --requests-per-hour: of which type they are, --instance must say")
    from eksml.costs import served_model_cost

    rates = {"requests_per_hour": requests_per_hour, "tokens_per_second": tokens_per_second}
    return served_model_cost(instance, region, nodes=nodes, **rates)


def _price_notes(
    price: "ServedModelCost | None", requests_per_hour: float | None, tokens_per_second: float | None
) -> list[str]:
    if price is None:
        return []
    thousand, million = price.usd_per_thousand_requests, price.usd_per_million_tokens
    return [
        f"{what}: {'not applicable, there are none' if usd is None else f'{usd:,.3g} USD at {rate:,g} {unit}'}."
        for what, usd, rate, unit in (
            ("A thousand requests", thousand, requests_per_hour, "an hour"),
            ("A million tokens", million, tokens_per_second, "a second"),
        )
        if rate is not None
    ]


_NODES_NOTE = (
    "nodes: no single one holds it, so its layers are divided among them (pipelineParallel), and each layer among the "
    "GPUs of a node (tensorParallel). What they hand each other takes time, least over EFA."
)


_NO_TEXT_NOTE = (
    "engine: vLLM and Transformers by KServe's server serve models of text only; NVIDIA Triton serves this one. What "
    "is counted beside its weights is what the engine would take."
)


def _show(
    model: str, found: "list[ServingInstance]", region: str, price_notes: list[str], *, with_explanation: bool
) -> None:
    from eksml.cli.instances_table import barely, indented, show_instances, unknown_prices

    first, over_nodes = found[0].fitted, found[0].nodes > 1
    idle = any(each.gpus > each.fitted.serving.tensor_parallel for each in found)
    requests = f"requests: of {first.context_length:,} tokens each, as many as the cache holds at once."
    notes = [
        *([requests] if first.kv_tokens else []),
        *([] if first.model.transformer else [_NO_TEXT_NOTE]),
        *_note_on_images(first.model),
        f"USD/h: of {'all nodes' if over_nodes else 'the whole instance'} in {region}, on demand.",
        *unknown_prices([each.usd_per_hour for each in found]),
        *([_NODES_NOTE] if over_nodes else []),
        *(["of: the other GPUs are paid for too, and left for other servers."] if idle else []),
        *price_notes,
        *barely(is_certain=(each.fitted.is_certain for each in found)),
        *(indented(first.explain()) if with_explanation else []),
    ]
    # Rows over nodes are wider, and have no room for the memory of a GPU.
    places = ("instances", "GPUs of all") if over_nodes else ("instance", "GPUs for it", "GiB")
    show_instances(model, "served", (*places, "USD/h", "tokens", "requests"), map(_row, found), notes)


def _note_on_images(model: "ModelShape") -> list[str]:
    if not model.vision_parameters:
        return []
    seeing, all_of_them = model.vision_parameters / 1e9, model.parameters / 1e9
    counted = f"{seeing:.2f} of {all_of_them:.2f} billion parameters see them"
    return [f"images: {counted}; what encoding them takes beside is not counted."]


def _row(each: "ServingInstance") -> tuple[str, ...]:
    fitted, tokens = each.fitted, each.fitted.kv_tokens
    mark = "" if fitted.is_certain else " ?"
    return (
        *_place(each),
        "unknown" if each.usd_per_hour is None else f"{each.usd_per_hour:.2f}",
        f"{tokens.expected:,.0f}" if tokens else "-",
        f"{fitted.largest_concurrency:,}{mark}" if tokens else f"-{mark}",
    )


def _place(each: "ServingInstance") -> tuple[str, ...]:
    if each.nodes > 1:
        return f"{each.nodes} × {each.name}", f"{each.nodes * each.gpus} × {each.gpu}"
    taken = each.fitted.serving.tensor_parallel
    gpus = f"{taken} × {each.gpu}" if taken == each.gpus else f"{taken} of {each.gpus} × {each.gpu}"
    return each.name, gpus, f"{each.fitted.serving.gpu.visible_gib:.0f}"


def _as_json(each: "ServingInstance") -> dict[str, Any]:
    fitted = each.fitted
    tokens = fitted.kv_tokens
    return {
        "instance": each.name,
        "gpu": fitted.serving.gpu.title,
        "nodes": each.nodes,
        "gpus": fitted.serving.tensor_parallel * each.nodes,
        "tensorParallel": fitted.serving.tensor_parallel,
        "pipelineParallel": fitted.serving.pipeline_parallel,
        "usdPerHour": each.usd_per_hour,
        "contextLength": fitted.context_length,
        "isCertain": fitted.is_certain,
        "weightsGib": round(fitted.weights_gib, 2),
        "overheadGib": [round(gib, 2) for gib in fitted.overhead_gib],
        "availableGib": round(fitted.available_gib, 2),
        "cachedTokens": [int(count) for count in tokens] if tokens else None,
        "requests": fitted.largest_concurrency,
        "restsOn": fitted.explain(),
    }


def _why_not(model: str, shape: "ModelShape", serving: "Serving", instance: str | None) -> str:
    from dataclasses import replace

    from eksml.catalog import instance_types
    from eksml.sizing import fit as fitted
    from eksml.sizing import gpu_memory, groups_of, problem

    gpu = instance_types()[instance].gpu if instance else None
    if gpu is None:
        most = "eight nodes of one type" if serving.engine.shares_gpus else "one GPU, and this engine takes no more"
        return f"{model} does not fit on {most}: a smaller precision, a shorter context or fewer requests would do"
    tried = [
        fitted(shape, replace(serving, gpu=gpu_memory(gpu), tensor_parallel=count))
        for count in groups_of(gpu.count, serving.engine)
    ]
    widest = next((each for each in reversed(tried) if each.is_divisible), tried[0])
    gpus = "1 GPU" if widest.serving.tensor_parallel == 1 else f"{widest.serving.tensor_parallel} GPUs"
    return f"{model} on {gpus} of {instance}: {problem(widest)}"
