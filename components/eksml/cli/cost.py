"""`eksml cost`: what a stack costs, before it does."""

import json
from typing import Annotated

import typer

from eksml.cli.arguments import AsJson, PlatformName, Settings, StackName, plan_of, plan_or_file, values_of


def cost(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="STACK|DIR|FILE",
            help="A stack of the project here, a folder with a Pulumi program, or a file of `eksml preview --json` or "
            "`pulumi preview --json`. Default: the only stack there is.",
            show_default=False,
        ),
    ] = None,
    stack: StackName = None,
    settings: Settings = None,
    platform: PlatformName = None,
    compare: Annotated[
        str | None,
        typer.Option(
            "--compare", metavar="STACK|DIR|FILE", help="Show what this one costs beside it.", show_default=False
        ),
    ] = None,
    assume: Annotated[
        list[str] | None,
        typer.Option(
            "--assume",
            metavar="NAME=VALUE",
            help="Change an assumption, such as natGb=2000. Repeatable.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a stack costs a month.

    Item by item, by what it is for, by team and by pool: at least, expected, and at most. What has no price is listed.
    What is charged by use rests on assumptions, each of which can be changed. No cloud is asked: prices are the
    catalog's, with their sources in the JSON. --set counts for the first of two.

    \b
    Examples:
      eksml cost production
      eksml cost production --set pools.train.size=4 --compare production
      eksml cost research --assume jobHoursPerDay=12 --assume natGb=2000
      eksml cost blueprints/training/native-pytorch
      eksml cost startup --json | jq .monthly.expected
    """
    from eksml.cli.output import answer
    from eksml.costs import Assumptions, estimate
    from eksml.costs.bill_json import bill_json
    from eksml.costs.bill_text import about, show_bill
    from eksml.costs.comparison import comparison_json, show_comparison
    from eksml.spec import parse

    assumptions = parse(Assumptions, values_of(assume or [], "--assume", "natGb=2000"))
    plan = plan_or_file(target, stack, settings, platform)[0] if target else plan_of(target, stack, settings, platform)
    bill = estimate(plan, assumptions)
    other = estimate(plan_or_file(compare, None, None)[0], assumptions) if compare else None
    if as_json:
        content = comparison_json(bill, other) if other else bill_json(bill)
        typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
    elif other:
        show_comparison(bill, other, answer())
    else:
        show_bill(bill, answer())
        if plan.platform:
            answer().print(
                f"\nThe platform alone: {about(estimate(plan.platform, assumptions).monthly)}", soft_wrap=True
            )
