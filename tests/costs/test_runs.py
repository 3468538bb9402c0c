"""What the nodes of a run cost, and a model that is served."""

from typing import Any

import pytest

from eksml.catalog import instance_types
from eksml.costs import run_cost, served_model_cost, spot_run_cost
from eksml.errors import InputError

UNPRICED = next(
    name for name, fact in instance_types().items() if not any(p.usd for p in fact.on_demand_usd_per_hour.values())
)


def test_nodes_times_hours_times_price() -> None:
    price = instance_types()["g6.12xlarge"].on_demand_usd_per_hour["us-west-2"].usd
    assert price is not None
    assert run_cost("g6.12xlarge", 2, 0.5, "us-west-2") == price


def test_what_has_no_price_is_not_guessed() -> None:
    assert run_cost(UNPRICED, 1, 1, "us-west-2") is None
    assert served_model_cost(UNPRICED, "us-west-2") is None


def test_a_model_costs_by_the_hour_the_request_and_the_token() -> None:
    cost = served_model_cost("g6.2xlarge", "us-west-2", nodes=2, requests_per_hour=10_000, tokens_per_second=1_000)
    assert cost
    assert cost.usd_per_hour == pytest.approx(2 * 0.9776)
    assert cost.usd_per_thousand_requests == pytest.approx(2 * 0.9776 / 10)
    # 3.6 million tokens in an hour.
    assert cost.usd_per_million_tokens == pytest.approx(2 * 0.9776 / 3.6)


@pytest.mark.parametrize("requests", [None, 0])
def test_without_requests_or_tokens_it_has_no_price_of_one(requests: int | None) -> None:
    cost = served_model_cost("g6.2xlarge", "us-west-2", requests_per_hour=requests, tokens_per_second=0)
    assert cost == (0.9776, None, None)


def test_types_that_do_not_exist_and_less_than_nothing_are_refused() -> None:
    with pytest.raises(InputError, match=r"g6\.2xlarg is not in the catalog .*, did you mean 'g6\.2xlarge'"):
        run_cost("g6.2xlarg", 1, 1, "us-west-2")
    with pytest.raises(InputError, match="hours: -1 given, must be at least 0"):
        run_cost("g6.2xlarge", 1, -1, "us-west-2")
    with pytest.raises(InputError, match="nodes: 0 given, must be at least 1"):
        run_cost("g6.2xlarge", 0, 1, "us-west-2")
    with pytest.raises(InputError, match="requests_per_hour: -1 given"):
        served_model_cost("g6.2xlarge", "us-west-2", requests_per_hour=-1)


@pytest.mark.parametrize("amount", ["$5", "1,000", True, float("nan"), float("inf"), None])
def test_what_is_no_number_is_refused(amount: Any) -> None:
    with pytest.raises(InputError, match=r"hours: .* given, must be a number, such as"):
        run_cost("g6.2xlarge", 1, amount, "us-west-2")
    if amount is not None:
        with pytest.raises(InputError, match=r"tokens_per_second: .* given, must be a number, such as"):
            served_model_cost("g6.2xlarge", "us-west-2", tokens_per_second=amount)


def test_a_region_without_prices_is_told_with_those_that_have_some() -> None:
    with pytest.raises(InputError, match=r"region: mars-north-1 has no prices in .*, ap-northeast-1, .*us-west-2 have"):
        run_cost("g6.12xlarge", 2, 0.5, "mars-north-1")


@pytest.mark.parametrize("strange", [None, [], {"g6.xlarge": 1}, 5])
def test_types_and_regions_that_are_no_text_are_refused(strange: Any) -> None:
    with pytest.raises(InputError, match=r"instance_type: .* is not in the catalog of instance types"):
        run_cost(strange, 1, 1, "us-west-2")
    with pytest.raises(InputError, match=r"region: .* has no prices in the catalog, ap-northeast-1"):
        spot_run_cost("g6.xlarge", 1, 1, strange)


def test_a_part_of_a_node_is_refused() -> None:
    part: Any = 1.5
    with pytest.raises(InputError, match=r"nodes: 1\.5 given, must be a whole number"):
        run_cost("g6.xlarge", part, 1, "us-west-2")


def test_what_is_too_large_to_be_an_amount_is_refused() -> None:
    with pytest.raises(InputError, match=r"hours: 1000.* given, must be at most 1,000,000,000,000,000,000"):
        run_cost("g6.xlarge", 1, 10**400, "us-west-2")
