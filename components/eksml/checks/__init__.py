"""Checks of a Plan: what would fail, cost or leak after `pulumi up`, found before it."""

from eksml.checks.run import Finding, Report, run_checks

__all__ = ["Finding", "Report", "run_checks"]
