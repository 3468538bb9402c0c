"""Checks of a Plan: what would fail, cost or leak after `pulumi up`, found before it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eksml.checks.run import Finding, Report, run_checks

__all__ = ["Finding", "Report", "run_checks"]


def __getattr__(name: str) -> Any:
    # On demand, because costs know of nodes and pods what stands here, and a check knows of costs.
    if name not in __all__:
        raise AttributeError(f"module 'eksml.checks' has no attribute '{name}'")
    from eksml.checks import run

    return getattr(run, name)
