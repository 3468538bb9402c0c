"""`eksml cost`: what a stack costs, before it does."""

import json
from dataclasses import replace
from typing import Annotated

import typer

from eksml.cli.arguments import (
    AsJson,
    PlatformName,
    Prices,
    Settings,
    StackName,
    assume_option,
    plan_of,
    plan_or_file,
    shown_name,
    values_of,
)


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
            "--compare",
            metavar="STACK|DIR|FILE",
            help="Show beside it what this one costs, and how much less than the first that is.",
            show_default=False,
        ),
    ] = None,
    assume: Annotated[list[str] | None, assume_option("natGb=2000")] = None,
    prices: Prices = None,
    as_json: AsJson = False,
) -> None:
    """Show what a stack costs a month.

    Item by item, by what it is for, by team and by pool: at least, expected, and at most. What has no price is listed.
    What is charged by use rests on assumptions, each of which can be changed. No cloud is asked: prices are the
    catalog's, or those of a file, with their sources and dates in the JSON. --set counts for the first
    of two, and a difference is the first less the second: what the change adds. A single job is priced by
    `eksml cost-job`, a served model by `eksml fit`, and frameworks are compared by `eksml cost-frameworks`.

    \b
    Examples:
      eksml cost production
      eksml cost production --set pools.train.size=4 --compare production
      eksml cost research --assume jobHoursPerDay=12 --assume natGb=2000
      eksml cost blueprints/training/native-pytorch
      eksml cost startup --json | jq .monthly.expected
      eksml prices refresh --region us-west-2 && eksml cost startup --prices prices.json
    """
    from eksml.catalog import NO_PRICES
    from eksml.cli.output import answer
    from eksml.costs import Assumptions, estimate
    from eksml.costs.bill_json import bill_json
    from eksml.costs.bill_text import about, show_bill
    from eksml.costs.comparison import comparison_json, show_comparison
    from eksml.prices.price_file import read_prices
    from eksml.spec import parse

    assumptions = parse(Assumptions, values_of(assume or [], "--assume", "natGb=2000"))
    listed = read_prices(prices) if prices else NO_PRICES
    plan = plan_or_file(target, stack, settings, platform)[0] if target else plan_of(target, stack, settings, platform)
    bill = estimate(plan, assumptions, listed)
    earlier = plan_or_file(compare, None, None)[0] if compare else None
    before = estimate(earlier, assumptions, listed) if earlier else None
    if as_json:
        content = comparison_json(before, bill) if before else bill_json(bill)
        typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
        return
    shown = replace(bill, stack=shown_name(plan, target))
    if earlier and before:
        after = replace(shown, stack=f"{shown.stack}, with --set") if settings else shown
        show_comparison(replace(before, stack=shown_name(earlier, compare)), after, answer())
    else:
        show_bill(shown, answer())
        if plan.platform:
            answer().print(
                f"\nThe platform alone: {about(estimate(plan.platform, assumptions, listed))}", soft_wrap=True
            )
