"""`eksml fit`: on which instances a model can be served."""

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from eksml.cli.arguments import AsJson
from eksml.cli.model import Instance, ModelName, Region, shape_named

if TYPE_CHECKING:
    from rich.console import Console

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
    as_json: AsJson = False,
) -> None:
    """Show on which instances a model can be served, the cheapest first.

    Of each GPU, and of each number of them that shares the model, the cheapest type. Exit code 1 if it fits nowhere.

    \b
    Examples:
      eksml fit Qwen/Qwen2.5-7B-Instruct --context 16384 --concurrency 8
      eksml fit meta-llama/Llama-3.1-8B-Instruct --instance g6.2xlarge
      eksml fit meta-llama/Llama-3.3-70B-Instruct --precision fp8 --json
    """
    from eksml.catalog import inference_engines
    from eksml.cli.output import answer
    from eksml.errors import CheckFailed
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
    if as_json:
        content = {"model": model, "region": region, "instances": [_as_json(each) for each in found]}
        typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
    elif found:
        _show(model, found, region, answer(), with_explanation=instance is not None)
    if not found:
        raise CheckFailed(_why_not(model, serving, instance))


def _show(
    model: str, found: "list[ServingInstance]", region: str, console: "Console", *, with_explanation: bool
) -> None:
    from rich.markup import escape
    from rich.table import Table

    context = found[0].fitted.context_length
    console.print(f"[bold]{escape(model)}[/] can be served on, cheapest first ({region}, on demand):\n")
    table = Table(box=None, pad_edge=False)
    for heading in ("instance", "GPUs for it", "USD/h", "tokens cached", f"requests of {context:,}"):
        table.add_column(heading, justify="left" if heading in ("instance", "GPUs for it") else "right")
    for each in found:
        fitted = each.fitted
        tokens = fitted.kv_tokens
        table.add_row(
            each.name,
            f"{fitted.serving.tensor_parallel} × {fitted.serving.gpu.title}",
            "not known" if each.usd_per_hour is None else f"{each.usd_per_hour:.2f}",
            f"{tokens.expected:,.0f}" if tokens else "none",
            f"{fitted.largest_concurrency:,}{'' if fitted.is_certain else ' ?'}" if tokens else "no limit",
        )
    console.print(table)
    if not all(each.fitted.is_certain for each in found):
        console.print("\n? It fits barely: with the overhead at the upper end of its range it does not.")
    if with_explanation:
        console.print()
        for line in found[0].fitted.explain():
            console.print(f"  {escape(line)}")


def _as_json(each: "ServingInstance") -> dict[str, Any]:
    fitted = each.fitted
    tokens = fitted.kv_tokens
    return {
        "instance": each.name,
        "gpu": fitted.serving.gpu.title,
        "gpus": fitted.serving.tensor_parallel,
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


def _why_not(model: str, serving: "Serving", instance: str | None) -> str:
    from dataclasses import replace

    from eksml.catalog import instance_types
    from eksml.sizing import fit as fitted
    from eksml.sizing import gpu_memory, problem

    gpu = instance_types()[instance].gpu if instance else None
    if gpu is None:
        return f"{model} fits on no instance: a smaller precision, a shorter context or several nodes would do"
    on_instance = replace(serving, gpu=gpu_memory(gpu), tensor_parallel=gpu.count)
    gpus = "1 GPU" if gpu.count == 1 else f"{gpu.count} GPUs"
    return f"{model} on {gpus} of {instance}: {problem(fitted(shape_named(model), on_instance))}"
