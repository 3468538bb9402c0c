"""`eksml preflight`: whether the account and this machine are ready for a stack."""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Annotated

import typer

from eksml.cli.arguments import AsJson, PlatformName, Settings, StackName, Target, recorded, stack_of


def preflight(
    target: Target = None,
    stack: StackName = None,
    settings: Settings = None,
    platform: PlatformName = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--aws-profile",
            metavar="NAME",
            help="The profile of the AWS credentials. Default: aws:profile and aws:assumeRoles of the stack file, or "
            "else as `aws` takes them.",
            show_default=False,
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
    from eksml.account import Account
    from eksml.cli.output import answer, outlive_cut_connections
    from eksml.errors import CheckFailed
    from eksml.preflight.basis import Basis
    from eksml.preflight.finding import Status
    from eksml.preflight.provider import provider_of
    from eksml.preflight.run import as_json as plain
    from eksml.preflight.run import run_preflight
    from eksml.preflight.text import show_findings

    found = stack_of(target, stack, settings, platform)
    provider = provider_of(found)
    if profile:
        provider = provider.without_credentials
    basis = Basis(recorded(found), asks_address=ask_address, provider=provider, directory=found.directory)
    outlive_cut_connections()
    account = Account.here(basis.region, profile or provider.profile)
    account = account.taking_on(role.for_sts for role in provider.assume_roles)
    # Whoever must type a code for it does so before something moves on the terminal.
    _ = account.identity
    with _progress() as tell:
        findings = run_preflight(basis, account, tell)
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
