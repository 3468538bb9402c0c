"""Prices: what the data must be, and what stands in where a region has none."""

from datetime import date

import pytest

from eksml import catalog
from eksml.catalog import ListedPrice, PriceList, instance_types, prices
from eksml.catalog._facts import load

UNITS = {
    "GB",
    "GB-month",
    "IOPS-month",
    "MB/s-month",
    "MiB/s-month",
    "alarm-month",
    "hour",
    "key-month",
    "metric-month",
    "million requests",
    "secret-month",
    "ten thousand requests",
    "thousand requests",
    "user-month",
    "zone-month",
}


def test_every_price_is_above_zero_in_a_known_unit_and_region() -> None:
    for key, thing in catalog.prices().items():
        assert thing.unit in UNITS, key
        assert set(thing.regions) <= catalog.priced_regions() | {"all"}, key
        assert all(price.usd > 0 for price in thing.regions.values()), key


def test_where_a_region_stands_in_both_have_the_same_prices_wherever_both_have_one() -> None:
    both = [thing for thing in catalog.prices().values() if {"us-west-2", "us-east-1"} <= set(thing.regions)]
    assert len(both) > 20
    assert all(thing.regions["us-west-2"].usd == thing.regions["us-east-1"].usd for thing in both)


def test_a_region_that_stands_in_may_be_cheaper_by_a_fifth() -> None:
    regions = [thing.regions for thing in catalog.prices().values()]
    times = [each["eu-central-1"].usd / each["us-east-1"].usd for each in regions if "eu-central-1" in each]
    assert len(times) > 10
    assert all(1 <= each <= 1.2001 for each in times)


def test_in_every_region_with_prices_another_stands_in() -> None:
    assert set(load("prices.yaml")["standIns"]) == catalog.priced_regions() - {"us-east-1"}


def test_a_price_that_stands_in_is_an_estimate_that_says_of_where() -> None:
    own, other = catalog.price("gp3Gb", "us-west-2"), catalog.price("efsInfrequentGb", "us-west-2")
    assert own
    assert own.confidence == "high"
    assert other
    assert (other.confidence, other.note) == ("estimate", "price of us-east-1")


def test_what_no_source_says_has_no_price() -> None:
    assert catalog.price("gp3Gb", "mars-north-1") is None
    assert catalog.price("rdsPostgresql.db.x9.huge.singleZone", "us-east-1") is None


def test_what_is_the_same_everywhere_has_a_price_everywhere() -> None:
    zone = catalog.price("hostedZone", "ap-northeast-1")
    assert zone
    assert zone.usd == 0.50


def test_two_zones_cost_about_twice_as_much_for_a_database_but_not_exactly() -> None:
    classes = {key.removesuffix(".singleZone") for key in catalog.prices() if key.startswith("rdsPostgresql.")}
    classes = {key for key in classes if not key.endswith(".multiZone")}
    assert classes
    for size in classes:
        one, two = (catalog.price(f"{size}.{zones}", "us-east-1") for zones in ("singleZone", "multiZone"))
        assert one
        assert two
        assert two.usd == pytest.approx(2 * one.usd, abs=0.0011), size


def test_unseen_children_cost_something_that_has_a_price() -> None:
    assert "eks:index:Cluster" in catalog.unseen_prices()
    assert all(key in catalog.prices() for keys in catalog.unseen_prices().values() for key in keys)


def test_spot_prices_are_of_known_types_and_below_on_demand() -> None:
    for name, regions in catalog.spot_prices().items():
        assert name in catalog.instance_types()
        for sample in regions.values():
            assert 0 < sample.low <= sample.usual <= sample.high < sample.on_demand


def test_spot_is_never_dearer_than_on_demand_is_today() -> None:
    for name, fact in catalog.instance_types().items():
        for region, price in fact.on_demand_usd_per_hour.items():
            if price.usd is not None:
                spot = catalog.spot_range(name, region, price.usd)
                assert 0 < spot.low <= spot.usual <= spot.high <= price.usd, name


def test_where_no_source_has_the_type_the_discounts_of_others_give_the_range() -> None:
    spot = catalog.spot_range("g6.12xlarge", "us-west-2", 4.6016)
    assert spot.usual == pytest.approx(4.6016 * (1 - 0.599), rel=0.01)
    assert spot.low == pytest.approx(4.6016 * (1 - 0.881), rel=0.01)
    assert spot.high == pytest.approx(4.6016 * (1 - 0.191), rel=0.01)


LISTED = ListedPrice(usd=0.5, date=date(2026, 11, 20), sku="A1")
PRICES = PriceList(
    prices={"natGatewayHour": {"us-west-2": LISTED, "eu-west-1": LISTED}, "efsInfrequentGb": {"us-east-1": LISTED}},
    instance_types={"g6.xlarge": {"us-west-2": LISTED}, "p5e.48xlarge": {"us-west-2": LISTED}},
)


def test_a_price_of_the_price_list_counts_before_those_of_other_sources_and_where_there_is_none() -> None:
    for region in ("us-west-2", "eu-west-1"):
        found = catalog.price("natGatewayHour", region, PRICES)
        assert found
        assert (found.usd, found.source, str(found.date)) == (0.5, "AWS Price List, SKU A1", "2026-11-20")
    assert catalog.price("natGatewayHour", "us-east-1", PRICES) == catalog.price("natGatewayHour", "us-east-1")
    for name in ("g6.xlarge", "p5e.48xlarge"):
        price = catalog.on_demand_price(name, "us-west-2", PRICES)
        assert price
        assert (price.usd, price.source, price.date) == (0.5, "AWS Price List, SKU A1", "2026-11-20")


def test_a_price_of_the_price_list_stands_in_too() -> None:
    found = catalog.price("efsInfrequentGb", "us-west-2", PRICES)
    assert found
    assert (found.usd, found.confidence, found.note) == (0.5, "estimate", "price of us-east-1")


def test_the_catalog_may_bring_prices_of_the_price_list_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("prices", "instance_types"):
        monkeypatch.setattr(f"eksml.catalog._{module}.price_list", lambda: PRICES)
    regions = prices.__wrapped__()["natGatewayHour"].regions
    assert (regions["us-west-2"].usd, regions["us-east-1"].usd) == (0.5, 0.045)
    on_demand = instance_types.__wrapped__()["g6.xlarge"].on_demand_usd_per_hour
    assert on_demand["us-west-2"].usd == 0.5
    assert on_demand["us-east-1"] == catalog.on_demand_price("g6.xlarge", "us-east-1")


def test_the_price_of_an_instance_type_has_the_date_of_its_source() -> None:
    price = catalog.on_demand_price("g6.xlarge", "us-east-1")
    assert price
    assert (price.source, price.date) == ("karpenter-2026-07-20", "2026-07-20")


def test_no_resource_type_costs_nothing_for_two_reasons() -> None:
    listed = [each for types in load("prices.yaml")["free"].values() for each in types]
    assert len(listed) == len(catalog.free_types())
