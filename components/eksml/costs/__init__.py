"""What things cost, from the catalog's prices; what has no price is told, not guessed."""

from typing import TYPE_CHECKING

from eksml import lazy

if TYPE_CHECKING:
    from eksml.costs.amounts import Range as Range
    from eksml.costs.assumptions import Assumption as Assumption
    from eksml.costs.assumptions import Assumptions as Assumptions
    from eksml.costs.bill import Bill as Bill
    from eksml.costs.bill import Item as Item
    from eksml.costs.bill import NotPriced as NotPriced
    from eksml.costs.estimation import estimate as estimate
    from eksml.costs.frameworks import FrameworkAssumptions as FrameworkAssumptions
    from eksml.costs.frameworks import FrameworkCosts as FrameworkCosts
    from eksml.costs.frameworks import analyze_framework_costs as analyze_framework_costs
    from eksml.costs.jobs import JobCost as JobCost
    from eksml.costs.jobs import JobNodes as JobNodes
    from eksml.costs.jobs import job_cost as job_cost
    from eksml.costs.runs import run_cost as run_cost
    from eksml.costs.runs import spot_run_cost as spot_run_cost
    from eksml.costs.served_models import ServedModelCost as ServedModelCost
    from eksml.costs.served_models import served_model_cost as served_model_cost

# The price of a run needs no Plan.
_PUBLIC = {
    "eksml.costs.amounts": ("Range",),
    "eksml.costs.assumptions": ("Assumption", "Assumptions"),
    "eksml.costs.bill": ("Bill", "Item", "NotPriced"),
    "eksml.costs.estimation": ("estimate",),
    "eksml.costs.frameworks": ("FrameworkAssumptions", "FrameworkCosts", "analyze_framework_costs"),
    "eksml.costs.jobs": ("JobCost", "JobNodes", "job_cost"),
    "eksml.costs.runs": ("run_cost", "spot_run_cost"),
    "eksml.costs.served_models": ("ServedModelCost", "served_model_cost"),
}
__all__, __getattr__, __dir__ = lazy.public_names(__name__, _PUBLIC)
