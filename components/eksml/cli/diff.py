"""`eksml diff`: what changes between two stacks, or before and after an edit."""

import json
from typing import Annotated

import typer

from eksml.cli.arguments import AsJson, Settings, StackName, plan_or_file

_METAVAR = "STACK|DIR|FILE"


def diff(
    before: Annotated[
        str,
        typer.Argument(
            metavar=_METAVAR,
            help="What is: a stack, a folder with a Pulumi program, or a file of `eksml preview --json` or "
            "`pulumi preview --json`.",
        ),
    ],
    after: Annotated[
        str | None,
        typer.Argument(metavar=_METAVAR, help="What is to be. Default: the first with --set.", show_default=False),
    ] = None,
    stack: StackName = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Show what changes between two stacks, or before and after an edit.

    What it does to the bill comes first; then replacements of what holds state, other
    replacements, removals, changes and additions. --set counts for what is to be. That there are differences is no
    failure.

    \b
    Examples:
      eksml diff research --set pools.train.gpuLimit=8
      eksml diff research production
      eksml preview research --json > before.json
      eksml diff before.json research
    """
    from eksml.cli.output import answer
    from eksml.costs.comparison import cost_change, cost_change_json
    from eksml.errors import InputError
    from eksml.plan.diff import diff as compare
    from eksml.plan.diff_json import diff_json
    from eksml.plan.diff_text import show_diff

    if after is None and not settings:
        raise InputError(f"diff {before}: name a second stack, folder or file, or change something with --set")
    target = before if after is None else after
    (old, old_is_real), (new, new_is_real) = plan_or_file(before, stack, None), plan_or_file(target, stack, settings)
    found = compare(old, new, compare_computed=old_is_real == new_is_real)
    if as_json:
        content = {**diff_json(found), "cost": cost_change_json(old, new)}
        typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
    else:
        if found.changes:
            answer().print(f"[bold]Cost[/]: {cost_change(old, new)}\n", soft_wrap=True)
        show_diff(found, answer())
