"""What the nodes of a run cost."""

from eksml.catalog import instance_types
from eksml.costs import run_cost


def test_nodes_times_hours_times_price() -> None:
    price = instance_types()["g6.12xlarge"].on_demand_usd_per_hour["us-west-2"].usd
    assert price is not None
    assert run_cost("g6.12xlarge", 2, 0.5, "us-west-2") == price


def test_what_has_no_price_is_not_guessed() -> None:
    assert run_cost("g6.12xlarge", 2, 0.5, "mars-north-1") is None
    unpriced = next(
        name for name, fact in instance_types().items() if not any(p.usd for p in fact.on_demand_usd_per_hour.values())
    )
    assert run_cost(unpriced, 1, 1, "us-west-2") is None
