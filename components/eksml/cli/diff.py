"""`eksml diff`: what changes between two stacks, or before and after an edit."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eksml.cli.arguments import AsJson, Settings, StackName, plan_of

if TYPE_CHECKING:
    from eksml.plan import Plan

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

    Replacements of what holds state come first, then other replacements, removals, changes and additions. --set counts
    for what is to be. That there are differences is no failure.

    \b
    Examples:
      eksml diff research --set pools.train.gpuLimit=8
      eksml diff research production
      eksml preview research --json > before.json
      eksml diff before.json research
    """
    from eksml.cli.output import answer
    from eksml.errors import InputError
    from eksml.plan.diff import diff as compare
    from eksml.plan.diff_json import diff_json
    from eksml.plan.diff_text import show_diff

    if after is None and not settings:
        raise InputError(f"diff {before}: name a second stack, folder or file, or change something with --set")
    target = before if after is None else after
    if settings and _is_file(target):
        raise InputError(f"--set: {target} is a file, which cannot be run with other settings")
    (old, old_is_real), (new, new_is_real) = _plan(before, stack, None), _plan(target, stack, settings)
    found = compare(old, new, compare_computed=old_is_real == new_is_real)
    if as_json:
        typer.echo(json.dumps(diff_json(found), indent=2, ensure_ascii=False))
    else:
        show_diff(found, answer())


def _plan(target: str, stack: str | None, settings: list[str] | None) -> "tuple[Plan, bool]":
    """A Plan, and whether it comes from the engine."""
    from eksml.plan.plan_file import read_plan_file

    return read_plan_file(Path(target)) if _is_file(target) else (plan_of(target, stack, settings), False)


def _is_file(target: str) -> bool:
    """Whether it is a file, or a pipe as in `eksml diff <(…) research`."""
    path = Path(target)
    return path.suffix == ".json" or (path.exists() and not path.is_dir())
