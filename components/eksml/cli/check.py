"""`eksml check`: what would fail, cost or leak after `pulumi up`."""

import json
from typing import Annotated

import typer

from eksml.cli.arguments import AsJson, Settings, StackName, Target, plan_of


def check(
    target: Target = None,
    stack: StackName = None,
    settings: Settings = None,
    as_json: AsJson = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say why each finding matters.")] = False,
) -> None:
    """Check a stack before `pulumi up`.

    Exit code 1 if there is an error. What is meant so is allowed under waivers in the stack file, by `check` or
    `check:resource`, with a reason. `eksml preview` runs the same checks at its end.

    \b
    Examples:
      eksml check production
      eksml check research --explain
      eksml check research --json | jq '.[].check'
    """
    from eksml.checks import run_checks
    from eksml.checks.run import as_json as findings
    from eksml.checks.text import show_report
    from eksml.cli.output import answer, end_on_errors

    report = run_checks(plan_of(target, stack, settings))
    if as_json:
        typer.echo(json.dumps(findings(report), indent=2, ensure_ascii=False))
    else:
        show_report(report, answer(), with_explanations=explain)
    end_on_errors(report)
