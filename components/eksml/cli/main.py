"""The entry of the command: its subcommands, and how errors end it."""

import gc
import os
import signal
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from eksml.cli.check import check
from eksml.cli.cost import cost
from eksml.cli.cost_frameworks import cost_frameworks
from eksml.cli.cost_job import cost_job
from eksml.cli.diff import diff
from eksml.cli.fit import fit
from eksml.cli.fit_training import fit_training
from eksml.cli.init import init
from eksml.cli.manifests import manifests
from eksml.cli.preflight import preflight
from eksml.cli.preview import preview
from eksml.cli.prices import prices
from eksml.cli.recommend import recommend
from eksml.cli.schema import schema
from eksml.cli.timeline import timeline
from eksml.errors import EksmlError, InputError

INTERNAL_ERROR = 70


class _Commands(TyperGroup):
    """The subcommands, whose values that cannot be read are told as all bad input is."""

    def invoke(self, ctx: Any) -> Any:
        """Runs a subcommand. Raises InputError for a value that is none of its option's type."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            if text := _unreadable(error):
                raise InputError(text) from error
            raise


def _unreadable(error: typer.BadParameter) -> str | None:
    """What is wrong with a value; None: it is not about one."""
    from pydantic import ValidationError

    if error.param is None or not isinstance(error.__cause__, ValidationError):
        return None
    problem = error.__cause__.errors()[0]
    match problem["type"]:
        case "float_parsing":
            text = f"{problem['input']!r} given, must be a number"
        case "int_parsing":
            text = f"{problem['input']!r} given, must be a whole number"
        case _:
            text = problem["msg"].removeprefix("Value error, ").removesuffix(".")
    return f"{error.param.name}: {text}"


app = typer.Typer(
    name="eksml",
    cls=_Commands,
    help="Machine learning on Amazon EKS: see, before a cent is spent, what `pulumi up` would build.",
    epilog="Exit codes: 0 fine, 1 a check failed, 2 bad input, 3 something is missing on this machine, 130 "
    "interrupted, 70 a mistake of ours.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("eksml"))
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


app.command()(preview)
app.command()(check)
app.command()(preflight)
app.command()(manifests)
app.command()(cost)
app.command()(cost_job)
app.command()(cost_frameworks)
app.command()(diff)
app.command()(timeline)
app.command()(fit)
app.command()(fit_training)
app.add_typer(prices)
app.command()(recommend)
app.command()(init)
app.command()(schema)


def main() -> None:
    """Runs the command and ends the process with an exit code that means something; never with a traceback."""
    # A command is over before its garbage matters, and looking for some while the SDKs load takes half a second.
    gc.disable()
    if hasattr(signal, "SIGPIPE"):
        # A reader that has enough of the output, `head` for one, ends this command as it ends any other.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        app()
    except EksmlError as error:
        _end(str(error), error.exit_code)
    except Exception as error:
        if os.environ.get("EKSML_DEBUG"):
            raise
        _end(f"a mistake of ours: {type(error).__name__}: {error} (EKSML_DEBUG=1 shows where)", INTERNAL_ERROR)


def _end(text: str, code: int) -> None:
    for line in text.splitlines() or [""]:
        print(f"eksml: {line}", file=sys.stderr)
    sys.exit(code)
