"""Findings of a preflight for people."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from eksml.preflight.finding import PreflightFinding, Status

_STYLES = {Status.ERROR: "bold red", Status.WARNING: "yellow", Status.NOT_KNOWN: "cyan", Status.OK: "green"}
_WIDTH = max(map(len, _STYLES))


def show_findings(findings: Sequence[PreflightFinding], console: Console) -> None:
    """Prints every finding: what is well first, what would fail last, where it is seen."""
    for status in reversed(_STYLES):
        for finding in findings:
            if finding.status is status:
                mark = f"[{_STYLES[status]}]{status:{_WIDTH}}[/]"
                console.print(f"{mark}  {escape(f'{finding.question}: {finding.text}')}", soft_wrap=True)
                if finding.advice:
                    console.print(f"{'':{_WIDTH}}  [dim]{escape(finding.advice)}[/]", soft_wrap=True)
    counts = Counter(finding.status for finding in findings)
    console.print("\n" + ", ".join(f"{counts[status]} {status}" for status in _STYLES))
