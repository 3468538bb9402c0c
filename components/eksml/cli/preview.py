"""`eksml preview`: the whole platform of a stack, without a cloud."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eksml.cli.arguments import AsJson, PlatformName, Settings, StackName, Target, plan_of

if TYPE_CHECKING:
    from rich.console import Console

    from eksml.checks import Report
    from eksml.plan import Plan


def preview(
    target: Target = None,
    stack: StackName = None,
    settings: Settings = None,
    platform: PlatformName = None,
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

    The resource tree, the Kubernetes objects, what the stack exports, how long its servers take to start, and what the
    checks find; exit code 1 if that is an error. It runs the real program of the stack in this process: no cloud, no
    Pulumi CLI and no network is needed.

    \b
    Examples:
      eksml preview research
      eksml preview production --set pools.train.size=4
      eksml preview startup --json | jq '.resources[].type'
    """
    from eksml.checks import run_checks
    from eksml.cli.output import answer, end_on_errors, write_files

    plan = plan_of(target, stack, settings, platform)
    report = run_checks(plan)
    if out is not None:
        write_files(out, files_of(plan, report))
    if as_json:
        typer.echo(_as_json(plan, report), nl=False)
    else:
        _show(plan, report, answer())
    end_on_errors(report)


def files_of(plan: "Plan", report: "Report") -> dict[str, str]:
    """Every form of a Plan, with what the checks say of it, as files: their names and contents."""
    from eksml.plan.manifests import manifests
    from eksml.plan.text import plain_text

    return {
        "preview.txt": plain_text(lambda console: _show(plan, report, console)),
        "plan.json": _as_json(plan, report),
        "manifests.yaml": manifests(plan),
    }


def _show(plan: "Plan", report: "Report", console: "Console") -> None:
    from eksml.checks.text import show_report
    from eksml.plan.text import show

    show(plan, console)
    show_report(report, console)


def _as_json(plan: "Plan", report: "Report") -> str:
    from eksml.checks.run import as_json as findings
    from eksml.plan.as_json import as_json

    return json.dumps(as_json(plan, findings(report)), indent=2, ensure_ascii=False) + "\n"
