"""`eksml preflight`: whether the account and this machine are ready for a stack."""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Annotated

import typer

from eksml.cli.arguments import AsJson, PlatformName, Settings, StackName, Target, plan_of


def preflight(
    target: Target = None,
    stack: StackName = None,
    settings: Settings = None,
    platform: PlatformName = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--aws-profile", metavar="NAME", help="The profile of the AWS credentials. Default: as `aws` takes them."
        ),
    ] = None,
    ask_address: Annotated[
        bool,
        typer.Option("--ask-address", help="Ask checkip.amazonaws.com whether publicAccessCidrs has this machine."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask the account and this machine whether `pulumi up` can work.

    Permissions, quotas, instance types in zones, reservations, addresses, versions, names that are taken, roles,
    gated models, programs. Nothing is ever changed. Needs `pip install 'eksml[aws]'` and AWS credentials. Exit code 1
    if something would fail, 3 without boto3 or credentials.

    \b
    Examples:
      eksml preflight production
      eksml preflight research --aws-profile sandbox --ask-address
      eksml preflight startup --json | jq '.[] | select(.status != "ok")'
    """
    from eksml.cli.output import answer
    from eksml.errors import CheckFailed
    from eksml.preflight.account import Account
    from eksml.preflight.basis import Basis
    from eksml.preflight.finding import Status
    from eksml.preflight.run import as_json as plain
    from eksml.preflight.run import run_preflight
    from eksml.preflight.text import show_findings

    basis = Basis(plan_of(target, stack, settings, platform), asks_address=ask_address)
    with _progress() as tell:
        findings = run_preflight(basis, Account.here(basis.region, profile), tell)
    if as_json:
        typer.echo(json.dumps(plain(findings), indent=2, ensure_ascii=False))
    else:
        show_findings(findings, answer())
    errors = sum(finding.status is Status.ERROR for finding in findings)
    if errors:
        raise CheckFailed(f"{errors} error{'s' if errors > 1 else ''} found, `pulumi up` would not work")


@contextmanager
def _progress() -> Generator[Callable[[int, int], None]]:
    """Shows on a terminal how many questions are answered."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done, all_: None
        return
    with console.status("Asking the account …") as status:
        yield lambda done, all_: status.update(f"Asking the account: {done} of {all_} answered …")
