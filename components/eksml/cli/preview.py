"""`eksml preview`: the whole platform of a stack, without a cloud."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eksml.cli.arguments import AsJson, Settings, StackName, Target, plan_of

if TYPE_CHECKING:
    from eksml.plan import Plan


def preview(
    target: Target = None,
    stack: StackName = None,
    settings: Settings = None,
    as_json: AsJson = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Also write preview.txt, plan.json and manifests.yaml to DIR.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show what `pulumi up` would build.

    The resource tree, the Kubernetes objects, and what the stack exports. It runs the real program of the stack in this
    process; no cloud, no Pulumi CLI and no network is needed.

    \b
    Examples:
      eksml preview research
      eksml preview production --set pools.train.size=4
      eksml preview startup --json | jq '.resources[].type'
    """
    from eksml.cli.output import answer, write_files
    from eksml.plan.text import show

    plan = plan_of(target, stack, settings)
    if out is not None:
        write_files(out, files_of(plan))
    if as_json:
        typer.echo(_as_json(plan), nl=False)
    else:
        show(plan, answer())


def files_of(plan: "Plan") -> dict[str, str]:
    """Every form of a Plan as files: their names and contents."""
    from eksml.plan.manifests import manifests
    from eksml.plan.text import as_text

    return {"preview.txt": as_text(plan), "plan.json": _as_json(plan), "manifests.yaml": manifests(plan)}


def _as_json(plan: "Plan") -> str:
    from eksml.plan.as_json import as_json

    return json.dumps(as_json(plan), indent=2, ensure_ascii=False) + "\n"
