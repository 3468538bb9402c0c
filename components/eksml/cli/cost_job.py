"""`eksml cost-job`: what the nodes of a job cost for as long as it runs."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eksml.cli.arguments import AsJson, PlatformName, Prices, Settings, StackName, plan_of, shown_name

if TYPE_CHECKING:
    from eksml.catalog import PriceList
    from eksml.costs.jobs import JobCost, JobNodes

_REGION = "us-west-2"


def cost_job(
    hours: Annotated[float, typer.Option(help="For how many hours it runs.")],
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="DIR|STACK",
            help="A blueprint, another folder with a Pulumi program, or a stack of the project here.",
            show_default=False,
        ),
    ] = None,
    instance: Annotated[
        str | None, typer.Option(metavar="TYPE", help="Instead of DIR: the EC2 type of its nodes.", show_default=False)
    ] = None,
    nodes: Annotated[
        int | None, typer.Option(help="With --instance: how many nodes. Default: 1.", show_default=False)
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(help=f"With --instance: AWS region of the price. Default: {_REGION}.", show_default=False),
    ] = None,
    stack: StackName = None,
    settings: Settings = None,
    platform: PlatformName = None,
    prices: Prices = None,
    as_json: AsJson = False,
) -> None:
    """Show what the nodes of a job cost for as long as it runs.

    Of a blueprint the nodes that its job takes on its platform; otherwise --nodes of an --instance, on demand and on
    spot. Storage, data transfer and the rest of the platform come on top: `eksml cost` has them. How long a model
    trains is what `eksml fit-training --tokens` says.

    \b
    Examples:
      eksml cost-job blueprints/training/native-pytorch --hours 3
      eksml cost-job blueprints/training/pytorch --hours 3 --set nodes=4
      eksml cost-job --instance p5.48xlarge --nodes 4 --hours 36
    """
    from eksml.catalog import NO_PRICES
    from eksml.errors import InputError
    from eksml.prices.price_file import read_prices

    if (target is None) == (instance is None):
        raise InputError("cost-job: name either a folder with a job or the type of its nodes, with --instance")
    ours = {"--nodes": nodes, "--region": region}
    theirs = {"--stack": stack, "--set": settings, "--platform": platform}
    given, useless = (f"{target}, whose nodes are known", ours) if target else ("--instance", theirs)
    if problems := [f"{option}: has no effect with {given}" for option, value in useless.items() if value is not None]:
        raise InputError("\n".join(problems))
    listed = read_prices(prices) if prices else NO_PRICES
    if instance:
        _show_type(instance, 1 if nodes is None else nodes, hours, region or _REGION, listed, as_json=as_json)
    elif target:
        from eksml.costs import job_cost

        plan = plan_of(target, stack, settings, platform)
        found = job_cost(replace(plan, stack=shown_name(plan, target)), hours, listed)
        if as_json:
            _print_json(_as_json(found))
        else:
            _show_jobs(found)


def _show_type(instance: str, nodes: int, hours: float, region: str, prices: "PriceList", *, as_json: bool) -> None:
    from eksml.costs.amounts import Range
    from eksml.costs.bill_json import range_json
    from eksml.costs.runs import run_cost, spot_run_cost

    usd = run_cost(instance, nodes, hours, region, prices)
    spot = spot_run_cost(instance, nodes, hours, region, prices)
    amounts = {"onDemand": None if usd is None else Range.exactly(usd), "spot": spot}
    if as_json:
        usd_json = {name: amount and range_json(amount) for name, amount in amounts.items()}
        _print_json({"instance": instance, "nodes": nodes, "hours": hours, "region": region, **usd_json})
        return
    rows = {"on demand": amounts["onDemand"], "~spot": spot}
    notes = ["~ is an estimate: spot prices change by the hour."] if spot else []
    if usd is None:
        notes = [f"Not priced: the catalog has no price of {instance} in {region}."]
    _show(f"{nodes} × {instance}", hours, region, {label: row for label, row in rows.items() if row}, notes)


def _show_jobs(found: "JobCost") -> None:
    rows = {_label(each): each.usd for each in found.nodes}
    if len(rows) > 1:
        rows["all of it"] = found.usd
    notes = ["Whole nodes, for all of the job's hours; storage, data and the rest of the platform come on top."]
    if any(not each.is_elastic for each in found.nodes):
        notes.append("Nodes of a managed pool are billed with or without the job.")
    if any("spot" in each.capacity for each in found.nodes):
        notes.append("~ is an estimate: spot prices change by the hour.")
    _show(f"Job {', '.join(found.jobs)}", found.hours, found.region, rows, notes)


def _label(nodes: "JobNodes") -> str:
    kind = "pool" if nodes.is_elastic else "managed pool"
    mark = "~" if "spot" in nodes.capacity else ""
    return f"{mark}{nodes.count} × {nodes.instance_type}, {kind} {nodes.pool}, {nodes.capacity}"


def _show(what: str, hours: float, region: str, rows: dict[str, Any], notes: list[str]) -> None:
    """Prints amounts by label; one that begins with ~ is an estimate."""
    from eksml.cli.output import answer
    from eksml.costs.table import amounts_row, print_plain, table_row, wrapped

    console = answer()
    time = f"{hours:g} hour" if hours == 1 else f"{hours:g} hours"
    print_plain(wrapped(f"{what} for {time} in {region}, US dollars\n", ""), console, style="bold")
    if rows:
        print_plain(table_row("", "at least", "expected", "at most"), console, style="dim")
    for label, amount in rows.items():
        print_plain(amounts_row(label.removeprefix("~"), amount, "~" if label.startswith("~") else ""), console)
    print_plain("", console)
    for note in notes:
        print_plain(wrapped(note, ""), console)


def _as_json(found: "JobCost") -> dict[str, Any]:
    from eksml.costs.bill_json import range_json

    return {
        "jobs": list(found.jobs),
        "region": found.region,
        "hours": found.hours,
        "usd": range_json(found.usd),
        "nodes": [
            {
                "pool": each.pool,
                "instance": each.instance_type,
                "nodes": each.count,
                "capacity": each.capacity,
                "isElastic": each.is_elastic,
                "usd": range_json(each.usd),
                "source": each.source,
                "priceDate": each.price_date,
            }
            for each in found.nodes
        ],
    }


def _print_json(content: dict[str, Any]) -> None:
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
