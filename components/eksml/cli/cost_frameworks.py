"""`eksml cost-frameworks`: what a month costs with one framework or another."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eksml.cli.arguments import AsJson, assume_option, plan_or_file, values_of

if TYPE_CHECKING:
    from eksml.costs import Bill, FrameworkCosts

_COLUMN = 14
_SIDE_BY_SIDE = 3
_ROWS = {
    "base_infrastructure": "base infrastructure",
    "development": "development",
    "operations": "operations",
    "training": "training",
    "inference": "inference",
    "total": "total",
    "cost_per_model": "cost per model",
}


def cost_frameworks(
    frameworks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FRAMEWORK",
            help="What to compare; the others are held against the first. Default: pytorch, tensorflow, jax, and those "
            "to which --assume gives factors.",
            show_default=False,
        ),
    ] = None,
    num_models: Annotated[int | None, typer.Option(help="How many models there are.", show_default=False)] = None,
    monthly_requests: Annotated[
        int | None, typer.Option(help="Requests that all models answer in a month.", show_default=False)
    ] = None,
    team_size: Annotated[int | None, typer.Option(help="How many people work with it.", show_default=False)] = None,
    training_hours_per_month: Annotated[
        float | None, typer.Option(help="Hours of training on one instance, with PyTorch.", show_default=False)
    ] = None,
    platform: Annotated[
        str | None,
        typer.Option(
            metavar="STACK|DIR|FILE",
            help="Whose bill is the base, without training and serving. Default: a control plane, a NAT gateway and "
            "some nodes.",
            show_default=False,
        ),
    ] = None,
    assume: Annotated[list[str] | None, assume_option("developerUsd=90 or 'developmentEffort={jax: 1.5}'")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a month costs with one framework or another.

    People, platform, training and serving, for a workload that the four options describe. No source measures what a
    framework costs: what differs are estimates of effort and a benchmark of training, and the answer says how much of
    a difference rests on which. It shows every assumption, and --assume changes one.

    \b
    Examples:
      eksml cost-frameworks --num-models 10 --monthly-requests 1000000 \\
        --team-size 15 --training-hours-per-month 500
      eksml cost-frameworks pytorch jax --num-models 3 --monthly-requests 0 \\
        --team-size 4 --training-hours-per-month 900 --assume developerUsd=90
    """
    from eksml.costs import FrameworkAssumptions, analyze_framework_costs, estimate
    from eksml.costs.frameworks import differences
    from eksml.spec import parse

    workload = _given(
        num_models=num_models,
        monthly_requests=monthly_requests,
        team_size=team_size,
        training_hours_per_month=training_hours_per_month,
    )
    assumed = values_of(assume or [], "--assume", "developerUsd=90")
    bill = estimate(plan_or_file(platform, None, None)[0]) if platform else None
    if bill:
        assumed.setdefault("region", bill.region)
    assumptions = parse(FrameworkAssumptions, assumed)
    named = frameworks or dict.fromkeys((*assumptions.development_effort, *assumptions.operations_effort))
    costs = analyze_framework_costs(workload, named, assumptions, bill)
    if as_json:
        listed = next(iter(costs.values()))["assumptions"]
        content = {
            "frameworks": {
                name: {key: value for key, value in each.items() if key != "assumptions"}
                for name, each in costs.items()
            },
            "differences": {name: each._asdict() for name, each in differences(costs).items()},
            "assumptions": [each.as_json() for each in listed],
        }
        typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
    else:
        _show(costs, bill)


def _given(**workload: float | None) -> dict[str, float]:
    """The workload. Raises InputError with all that is missing of it."""
    from eksml.errors import InputError

    missing = [name for name, value in workload.items() if value is None]
    if missing:
        raise InputError("\n".join(f"{name}: missing, --{name.replace('_', '-')} gives it" for name in missing))
    return {name: value for name, value in workload.items() if value is not None}


def _show(costs: "dict[str, FrameworkCosts]", bill: "Bill | None") -> None:
    from eksml.cli.output import answer
    from eksml.costs.frameworks import differences
    from eksml.costs.table import print_plain, wrapped

    console = answer()
    first, *others = costs
    found = differences(costs)
    for start in range(0, len(costs), _SIDE_BY_SIDE):
        names = list(costs)[start : start + _SIDE_BY_SIDE]
        print_plain(_row("US dollars a month", names), console, style="bold")
        for part, label in _ROWS.items():
            print_plain(_row(label, (_usd(_part(costs[name], part)) for name in names)), console)
        per_thousand = (_usd(costs[name]["cost_per_request"], 1000, 4) for name in names)
        print_plain(_row("cost per 1,000 requests", per_thousand), console)
        if others:
            print_plain(_row(f"more than {first}", ()), console, style="bold")
            for label, basis in (("  by effort, an estimate", 0), ("  by training time, of a benchmark", 1)):
                cells = ("" if name == first else f"{found[name][basis]:+,.2f}" for name in names)
                print_plain(_row(label, cells), console)
        print_plain("", console)
    notes = [
        "No source measures what a framework costs. Efforts are estimates of ours, by how decision guides rank "
        "frameworks; the benchmark is of five models, and which framework trains fastest depends on the model. Base "
        "and inference are the same for all: requests are answered by a model server.",
        *([f"Base infrastructure: the bill of {bill.stack} without training and serving."] if bill else []),
    ]
    for note in notes:
        print_plain(wrapped(note, ""), console)
    console.print("\n[bold]Assumptions[/]  (change one with --assume NAME=VALUE)")
    for each in costs[first]["assumptions"]:
        print_plain(wrapped(each.in_words, "  "), console)


def _part(costs: "FrameworkCosts", part: str) -> float | None:
    return dict[str, Any](costs)[part]


def _row(label: str, cells: Iterable[str]) -> str:
    return (label.ljust(80 - _SIDE_BY_SIDE * _COLUMN) + "".join(cell.rjust(_COLUMN) for cell in cells)).rstrip()


def _usd(amount: float | None, times: float = 1, digits: int = 2) -> str:
    return "n/a" if amount is None else f"{amount * times:,.{digits}f}"
