"""What things cost, from the catalog's prices; what has no price is told, not guessed."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eksml.costs.amounts import Range
    from eksml.costs.assumptions import Assumption, Assumptions
    from eksml.costs.bill import Bill, Item, NotPriced
    from eksml.costs.estimation import estimate
    from eksml.costs.frameworks import FrameworkAssumptions, FrameworkCosts, analyze_framework_costs
    from eksml.costs.runs import run_cost
    from eksml.costs.served_models import ServedModelCost, served_model_cost

_HOME = {
    "Assumption": "assumptions",
    "Assumptions": "assumptions",
    "Bill": "bill",
    "FrameworkAssumptions": "frameworks",
    "FrameworkCosts": "frameworks",
    "Item": "bill",
    "NotPriced": "bill",
    "Range": "amounts",
    "ServedModelCost": "served_models",
    "analyze_framework_costs": "frameworks",
    "estimate": "estimation",
    "run_cost": "runs",
    "served_model_cost": "served_models",
}

__all__ = [
    "Assumption",
    "Assumptions",
    "Bill",
    "FrameworkAssumptions",
    "FrameworkCosts",
    "Item",
    "NotPriced",
    "Range",
    "ServedModelCost",
    "analyze_framework_costs",
    "estimate",
    "run_cost",
    "served_model_cost",
]


def __getattr__(name: str) -> Any:
    # On demand, so that the price of a run needs no Plan.
    if name not in _HOME:
        raise AttributeError(f"module 'eksml.costs' has no attribute '{name}'")
    return getattr(import_module(f"eksml.costs.{_HOME[name]}"), name)
