"""Checks of a Plan: what would fail, cost or leak after `pulumi up`, found before it."""

from typing import TYPE_CHECKING

from eksml import lazy

if TYPE_CHECKING:
    from eksml.checks.run import Finding as Finding
    from eksml.checks.run import Report as Report
    from eksml.checks.run import run_checks as run_checks

# Costs know of nodes and pods what stands here, and a check knows of costs.
_PUBLIC = {"eksml.checks.run": ("Finding", "Report", "run_checks")}
__all__, __getattr__, __dir__ = lazy.public_names(__name__, _PUBLIC)
