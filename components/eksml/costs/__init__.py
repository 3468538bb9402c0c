"""What things cost, from the catalog's prices; what has no price is told, not guessed."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eksml.costs.amounts import Range
    from eksml.costs.assumptions import Assumption, Assumptions
    from eksml.costs.bill import Bill, Item, NotPriced
    from eksml.costs.estimation import estimate
    from eksml.costs.runs import run_cost

_HOME = {
    "Assumption": "assumptions",
    "Assumptions": "assumptions",
    "Bill": "bill",
    "Item": "bill",
    "NotPriced": "bill",
    "Range": "amounts",
    "estimate": "estimation",
    "run_cost": "runs",
}

__all__ = ["Assumption", "Assumptions", "Bill", "Item", "NotPriced", "Range", "estimate", "run_cost"]


def __getattr__(name: str) -> Any:
    # On demand, so that the price of a run needs no Plan.
    if name not in _HOME:
        raise AttributeError(f"module 'eksml.costs' has no attribute '{name}'")
    return getattr(import_module(f"eksml.costs.{_HOME[name]}"), name)
