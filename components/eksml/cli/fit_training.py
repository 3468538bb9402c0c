"""`eksml fit-training`: on how many instances a model can be trained, for how long, and for how much."""

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from eksml.cli.arguments import AsJson
from eksml.cli.model import Instance, ModelName, Region, shape_named

if TYPE_CHECKING:
    from rich.console import Console

    from eksml.sizing import TrainingInstances


def fit_training(
    model: ModelName,
    method: Annotated[
        Literal["full", "lora", "qlora"], typer.Option(help="What is trained: all weights, or matrices beside them.")
    ] = "full",
    tokens: Annotated[
        float | None,
        typer.Option(help="Tokens of all epochs, for time and price, such as 1e9.", show_default=False),
    ] = None,
    instance: Instance = None,
    region: Region = "us-west-2",
    sequence_length: Annotated[int, typer.Option(help="Tokens of a sequence.")] = 2048,
    micro_batch: Annotated[int, typer.Option(help="Sequences that a GPU calculates at once.")] = 1,
    sharding: Annotated[
        Literal["ddp", "zero1", "zero2", "zero3"],
        typer.Option(help="What GPUs divide: nothing, the optimizer, gradients too, weights too (FSDP)."),
    ] = "zero3",
    tensor_parallel: Annotated[int, typer.Option(help="GPUs that divide every matrix.")] = 1,
    optimizer: Annotated[Literal["adamw", "adamw8bit", "sgd"], typer.Option(help="The optimizer.")] = "adamw",
    checkpointing: Annotated[
        Literal["full", "none"], typer.Option(help="Whether activations are calculated twice, or kept.")
    ] = "full",
    lora_rank: Annotated[int, typer.Option(help="Rank of the matrices of LoRA.")] = 16,
    utilization: Annotated[
        float | None,
        typer.Option(help="Share of a GPU's peak that trains, as measured. Default: a range.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show on how many instances a model can be trained, how long it takes and what it costs.

    Of each GPU the cheapest type, and as few nodes as hold the model. Exit code 1 if 64 nodes do not.

    \b
    Examples:
      eksml fit-training meta-llama/Llama-3.1-8B-Instruct --method qlora --tokens 1e8
      eksml fit-training meta-llama/Llama-3.1-8B-Instruct --tokens 1e9 --instance p5.48xlarge
      eksml fit-training Qwen/Qwen2.5-7B-Instruct --method lora --sequence-length 8192 --json
    """
    from eksml.cli.output import answer
    from eksml.errors import CheckFailed
    from eksml.sizing import Checkpointing, GpuMemory, Method, Sharding, Training, training_instances

    training = Training(
        gpu=GpuMemory("any GPU", 0.0),
        # How many there are is what is asked; they are a multiple of this.
        gpus=max(1, tensor_parallel),
        tensor_parallel=tensor_parallel,
        method=Method(method),
        sharding=Sharding(sharding),
        optimizer=optimizer,
        checkpointing=Checkpointing(checkpointing),
        sequence_length=sequence_length,
        micro_batch=micro_batch,
        lora_rank=lora_rank,
    )
    shape = shape_named(model)
    found = training_instances(shape, training, region, tokens=tokens, utilization=utilization, only=instance)
    if as_json:
        content = {"model": model, "region": region, "instances": [_as_json(each) for each in found]}
        typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
    elif found:
        _show(model, found, region, answer(), with_explanation=instance is not None)
    if not found:
        place = f"64 nodes of {instance}" if instance else "64 nodes of any type"
        raise CheckFailed(f"{model} cannot be trained so on {place}: shard more (zero3), or take lora or qlora")


def _show(
    model: str, found: "list[TrainingInstances]", region: str, console: "Console", *, with_explanation: bool
) -> None:
    from rich.markup import escape
    from rich.table import Table

    console.print(f"[bold]{escape(model)}[/] can be trained on, cheapest first ({region}, on demand):\n")
    table = Table(box=None, pad_edge=False)
    for heading in ("instances", "GPU", "GiB of each", "hours", "USD"):
        table.add_column(heading, justify="left" if heading in ("instances", "GPU") else "right")
    for each in found:
        mark = "" if each.fitted.is_certain else " ?"
        table.add_row(
            f"{each.nodes} × {each.name}",
            each.fitted.training.gpu.title,
            f"{each.fitted.needed_gib.expected:.1f}{mark}",
            _range(each.run.hours if each.run else None),
            _range(each.usd),
        )
    console.print(table)
    console.print("\nHours and USD go from the best to the worst utilisation of published runs, or by the given one.")
    console.print("Nodes without EFA come nearer to the worst.")
    if not all(each.fitted.is_certain for each in found):
        console.print("? It fits barely: with the overhead at the upper end of its range it does not.")
    if with_explanation:
        console.print()
        for line in found[0].fitted.explain():
            console.print(f"  {escape(line)}")


def _range(values: "tuple[float, float, float] | None") -> str:
    if values is None:
        return "-"
    low, _, high = (f"{value:,.0f}" if value >= 10 else f"{value:.1f}" for value in values)
    return low if low == high else f"{low} to {high}"


def _as_json(each: "TrainingInstances") -> dict[str, Any]:
    fitted = each.fitted
    return {
        "instance": each.name,
        "nodes": each.nodes,
        "gpu": fitted.training.gpu.title,
        "gpus": fitted.training.gpus,
        "neededGib": [round(gib, 2) for gib in fitted.needed_gib],
        "visibleGib": fitted.training.gpu.visible_gib,
        "isCertain": fitted.is_certain,
        "hours": list(each.run.hours) if each.run else None,
        "usd": list(each.usd) if each.usd else None,
        "restsOn": fitted.explain(),
    }
