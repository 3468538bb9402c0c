"""Findings for people."""

from rich.console import Console
from rich.markup import escape

from eksml.check_list import CHECKS, Severity
from eksml.checks.finding import Finding
from eksml.checks.run import Report

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow"}


def show_report(report: Report, console: Console, *, with_explanations: bool = False) -> None:
    """Prints what the checks found; nothing but a line where they found nothing."""
    console.print("\n[bold]Checks[/]")
    for finding in report.findings:
        style = _STYLES[finding.severity]
        console.print(f"  [{style}]{finding.severity}[/] {_line(finding)}")
        if with_explanations:
            console.print(f"    [dim]{CHECKS[finding.check].explanation}[/]")
    for finding, reason in report.waived:
        console.print(f"  waived {_line(finding)} ({escape(reason)})")
    if not report.findings and not report.waived:
        console.print(f"  {len(CHECKS)} checks found nothing")


def _line(finding: Finding) -> str:
    return escape(f"{finding.check}: {finding.resource}: {finding.text}")
