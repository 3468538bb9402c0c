"""`eksml fit-training`: on how many instances a model can be trained, for how long, and for how much."""

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from eksml.cli.arguments import AsJson
from eksml.cli.model import Instance, ModelName, Region, shape_named

if TYPE_CHECKING:
    from eksml.sizing import TrainingFit, TrainingInstances


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
    expert_parallel: Annotated[int, typer.Option(help="GPUs that divide the experts of a layer.")] = 1,
    accumulation: Annotated[int, typer.Option(help="Micro-batches of a step of the optimizer.")] = 1,
    optimizer: Annotated[Literal["adamw", "adamw8bit", "sgd"], typer.Option(help="The optimizer.")] = "adamw",
    checkpointing: Annotated[
        Literal["full", "none"], typer.Option(help="Whether activations are calculated twice, or kept.")
    ] = "full",
    lora_rank: Annotated[
        int | None, typer.Option(help="Rank of the matrices of lora and qlora. Default: 16.", show_default=False)
    ] = None,
    utilization: Annotated[
        float | None,
        typer.Option(help="With --tokens: share of a GPU's peak that trains. Default: a range.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show on how many instances a model can be trained, and with --tokens for how long and how much.

    Of each GPU the cheapest type, and as few nodes as hold the model. Exit code 1 if 64 nodes do not.

    \b
    Examples:
      eksml fit-training meta-llama/Llama-3.1-8B-Instruct --method qlora --tokens 1e8
      eksml fit-training meta-llama/Llama-3.1-8B-Instruct --tokens 1e9 --instance p5.48xlarge
      eksml fit-training Qwen/Qwen2.5-7B-Instruct --method lora --sequence-length 8192 --json
    """
    from eksml.cli.instances_table import no_answer
    from eksml.sizing import Checkpointing, GpuMemory, Method, Sharding, Training, training_instances

    training = Training(
        gpu=GpuMemory("any GPU", 0.0),
        # How many there are is what is asked; they are a multiple of this.
        gpus=max(1, tensor_parallel) * max(1, expert_parallel),
        tensor_parallel=tensor_parallel,
        expert_parallel=expert_parallel,
        accumulation=accumulation,
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
        _show(model, found, region, has_time=tokens is not None, with_explanation=instance is not None)
    if not found:
        place = f"64 nodes of {instance}" if instance else "64 nodes of any type"
        raise no_answer(
            f"{model} cannot be trained so on {place}: shorter sequences, smaller micro-batches, "
            "more sharding (zero3), lora or qlora take less"
        )


def _show(model: str, found: "list[TrainingInstances]", region: str, *, has_time: bool, with_explanation: bool) -> None:
    from eksml.cli.instances_table import barely, indented, show_instances

    notes = [
        "GiB: needed on each GPU.",
        *(_notes_on_time(found, region) if has_time else _notes_on_price(found, region)),
        *barely(is_certain=(each.fitted.is_certain for each in found)),
        *(indented(found[0].explain()) if with_explanation else []),
    ]
    figures = ("hours", "USD") if has_time else ("USD/h",)
    rows = (_row(each, has_time=has_time) for each in found)
    show_instances(model, "trained", ("instances", "GPU", "GiB", *figures), rows, notes)


def _notes_on_price(found: "list[TrainingInstances]", region: str) -> list[str]:
    from eksml.cli.instances_table import unknown_prices

    note = f"USD/h: of all nodes in {region}, on demand; --tokens gives hours and USD."
    return [note, *unknown_prices([each.usd_per_hour for each in found])]


def _notes_on_time(found: "list[TrainingInstances]", region: str) -> list[str]:
    unknown = sorted({each.gpu for each in found if not each.run})
    bound = [each.fitted for each in found if each.run and each.run.is_bound_by_network]
    return [
        "hours: from the best to the worst utilisation of published runs, or by the given one; no less than the "
        "network takes where nodes exchange after each micro-batch.",
        *(_notes_on_network(bound[0]) if bound else []),
        f"USD: {region}, on demand; spot and capacity blocks have prices of their own.",
        *(f"-: no source gives the peak of the {gpu}, so no time and price." for gpu in unknown),
    ]


def _notes_on_network(fitted: "TrainingFit") -> list[str]:
    """How nodes that mostly exchange could calculate, and that published runs of experts do."""
    training = fitted.training
    more = "a larger --micro-batch has more tokens for what is exchanged"
    if training.sharding != "zero3":
        more += ", and so has --accumulation"
    notes = [f"network: some of the nodes exchange for longer than they calculate; {more}."]
    if fitted.transformer.experts and training.expert_parallel == 1:
        notes.append(
            f"experts: here {training.sharding} exchanges all of them. Published runs divide them among GPUs and send "
            "tokens there, so their hours do not compare: --expert-parallel counts it so."
        )
    return notes


def _row(each: "TrainingInstances", *, has_time: bool) -> tuple[str, ...]:
    mark = "" if each.fitted.is_certain else " ?"
    hourly = "unknown" if each.usd_per_hour is None else f"{each.usd_per_hour:,.2f}"
    return (
        f"{each.nodes} × {each.name}",
        each.gpu,
        f"{each.fitted.needed_gib.expected:.1f}{mark}",
        *((_range(each.run.hours if each.run else None), _range(each.usd)) if has_time else (hourly,)),
    )


def _range(values: "tuple[float, float, float] | None") -> str:
    if values is None:
        return "-"
    low, _, high = map(_figure, values)
    return low if low == high else f"{low}-{high}"


def _figure(value: float) -> str:
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if value >= 10 * unit:
            return f"{value / unit:,.0f}{letter}"
    if value < 0.1:
        return "<0.1"
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


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
        "usdPerHour": each.usd_per_hour,
        "hours": list(each.run.hours) if each.run else None,
        "usd": list(each.usd) if each.usd else None,
        "restsOn": each.explain(),
    }
