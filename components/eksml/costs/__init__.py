"""What things cost, from the catalog's prices; what has no price is told, not guessed."""

from eksml.costs.run_cost import run_cost

__all__ = ["run_cost"]
