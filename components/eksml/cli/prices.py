"""`eksml prices refresh`: prices of today, from the AWS Price List."""

import json
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from eksml.cli.arguments import AsJson

prices = typer.Typer(
    name="prices",
    help="The prices that `eksml cost` counts with.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@prices.callback()
def _prices() -> None:
    # Without it, Typer would take the only subcommand for the command itself.
    pass


@prices.command()
def refresh(
    regions: Annotated[
        list[str] | None,
        typer.Option(
            "--region",
            metavar="REGION",
            help="Only this AWS region. Repeatable. Default: every region that the catalog has instance types of.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="The file that is written, or brought up to date.")
    ] = Path("prices.json"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask and show, and write nothing.")] = False,
    profile: Annotated[
        str | None,
        typer.Option(
            "--aws-profile",
            metavar="NAME",
            help="The profile of the AWS credentials. Default: as `aws` takes them.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask the AWS Price List for the prices of today.

    Every price of the catalog, on-demand prices of EC2 among them; not those of spot, which change by the hour and are
    ranges in a bill. They go to a file that `eksml cost --prices` reads; that of the last example is the catalog's
    own, in a clone. It says what changed; a price that AWS does
    not give, or gives in several ways, stays as it was and is named. One region takes seconds, all of them minutes.
    Needs `pip install 'eksml[aws]'` and AWS credentials that may pricing:GetProducts. Exit code 1 if a price was not
    found, 3 without boto3 or credentials.

    \b
    Examples:
      eksml prices refresh --region us-west-2
      eksml cost production --prices prices.json
      eksml prices refresh --dry-run --json | jq .changed
      eksml prices refresh --out components/eksml/catalog/price_list.json
    """
    from eksml import catalog
    from eksml.account import Account
    from eksml.cli.output import answer, outlive_cut_connections, write_files
    from eksml.errors import CheckFailed
    from eksml.prices.price_file import prices_text, read_prices
    from eksml.prices.refresh import PRICE_LIST_REGION, ask, laid_over
    from eksml.prices.text import answers_json, show_answers
    from eksml.prices.wanted import wanted_in

    wanted = wanted_in(regions or sorted(catalog.priced_regions()))
    before = read_prices(out) if out.exists() else catalog.NO_PRICES
    if not dry_run:
        _check_writable(out)
    outlive_cut_connections()
    account = Account.here(PRICE_LIST_REGION, profile)
    # Whoever must type a code for it does so before something moves on the terminal.
    _ = account.identity
    with _progress(len(wanted)) as tell:
        answers = ask(wanted, account, tell)
    if as_json:
        typer.echo(json.dumps(answers_json(answers, before), indent=2, ensure_ascii=False))
    else:
        show_answers(answers, before, answer())
    if not dry_run:
        write_files(out.parent, {out.name: prices_text(laid_over(before, answers))})
    typer.echo("nothing is written" if dry_run else f"{out} is written", err=True)
    missing = sum(bool(each.problem) for each in answers)
    if missing:
        raise CheckFailed(f"{missing} price{'s' if missing > 1 else ''} not found: what was known of them stays")


def _check_writable(file: Path) -> None:
    """Tells before minutes of asking that nothing could be written. Raises InputError."""
    from eksml.errors import InputError

    there = next(folder for folder in file.absolute().parents if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise InputError(f"--out {file}: {there} is no folder that can be written to")


@contextmanager
def _progress(number: int) -> Generator[Callable[[int], None]]:
    """Shows on a terminal how many prices are answered, and how long the others may take."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Asking AWS for prices", total=number)
        yield lambda done: progress.update(task, completed=done)
