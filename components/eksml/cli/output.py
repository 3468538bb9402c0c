"""Where output goes: the answer to standard output, the rest to standard error, colour only on a terminal."""

import os
import signal
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from eksml.errors import CheckFailed, InputError

if TYPE_CHECKING:
    from rich.console import Console

    from eksml.checks import Report

# A pipe has no width; lines that are cut or wrapped would be lost for grep and diff.
_PIPE_WIDTH = 10_000


def answer() -> "Console":
    """The console of the answer."""
    from rich.console import Console

    # Names are shown as they are: none of them is an emoji, whatever stands between its colons.
    return Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


@contextmanager
def working(what: str) -> Generator[None]:
    """Shows on a terminal that something takes a moment."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(f"{what} …"):
        yield


def outlive_cut_connections() -> None:
    """From here on a connection that is cut is an error to be told, as others may be asked in the background.

    By what `main` sets for readers of the output that have enough, it would end the command without a word.
    """
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)


def end_on_errors(report: "Report") -> None:
    """Ends the command where a check found an error."""
    if report.errors:
        number = len(report.errors)
        raise CheckFailed(f"{number} error{'s' if number > 1 else ''} found, nothing should be built from this")


def write_files(directory: Path, contents: Mapping[str, str]) -> None:
    """Writes files into a folder: each of them whole, or none."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=directory, prefix=".eksml-") as staging:
            for name, content in contents.items():
                Path(staging, name).write_text(content, encoding="utf-8")
            for name in contents:
                os.replace(Path(staging, name), directory / name)
    except OSError as error:
        raise InputError(f"{directory}: {error.strerror}") from None
