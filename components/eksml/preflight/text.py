"""Findings of a preflight for people."""

from collections import Counter
from collections.abc import Sequence
from textwrap import wrap

from rich.console import Console
from rich.markup import escape

from eksml.preflight.finding import PreflightFinding, Status

_STYLES = {Status.ERROR: "bold red", Status.WARNING: "yellow", Status.NOT_KNOWN: "cyan", Status.OK: "green"}
_MARGIN = max(map(len, _STYLES)) + 2
# Advice that begins so is to be copied, and stays on one line.
_COMMANDS = ("aws ",)


def show_findings(findings: Sequence[PreflightFinding], console: Console) -> None:
    """Prints every finding: what is well first, what would fail last, where it is seen."""
    for status in reversed(_STYLES):
        for finding in findings:
            if finding.status is status:
                first, *more = _lines(f"{finding.question}: {finding.text}", console.width)
                _print(f"[{_STYLES[status]}]{status:{_MARGIN}}[/]{escape(first)}", console)
                for line in more:
                    _print(f"{'':{_MARGIN}}{escape(line)}", console)
                for line in _lines(finding.advice, console.width):
                    _print(f"{'':{_MARGIN}}[dim]{escape(line)}[/]", console)
    counts = Counter(finding.status for finding in findings)
    _print("\n" + ", ".join(f"{counts[status]} {status}" for status in _STYLES), console)


def _lines(text: str, width: int) -> list[str]:
    if text.startswith(_COMMANDS):
        return [text]
    return wrap(text, width - _MARGIN, break_long_words=False, break_on_hyphens=False)


def _print(line: str, console: Console) -> None:
    console.print(line, soft_wrap=True)
