"""What AWS charges, in US dollars: prices by region, spot prices as ranges, and what costs nothing.

The on-demand prices of instance types are theirs: `on_demand_price()`.
"""

from collections.abc import Mapping
from functools import cache
from statistics import median
from typing import Literal, NamedTuple

from pydantic import Field

from eksml.catalog._facts import Fact, SourcedFact, load
from eksml.catalog._price_list import NO_PRICES, ListedPrice, PriceList, price_list

EVERYWHERE = "all"
_OLDER_ON_DEMAND_PRICES = ("p4d.", "p5.", "p5en.")
"""Families whose on-demand prices were cut since the day of the spot prices: their discounts are no longer true."""


class RegionalPrice(SourcedFact):
    """The price of something in one region."""

    usd: float
    confidence: Literal["high", "medium", "low", "estimate"]
    """`estimate`: that of a region which stands in."""


class Listing(SourcedFact):
    """How a price is found in the AWS Price List."""

    service: str
    """The service code."""
    usage_types: tuple[str, ...] = ()
    """The names that the usage type may have, without the prefix of the region; none: any."""
    attributes: dict[str, str] = Field(default={})
    """What the product must have besides."""
    region_attribute: str = "regionCode"
    """The attribute that has the region."""


class PricedThing(Fact):
    """Something that AWS charges for."""

    what: str
    unit: str
    """What one price is for: an hour, a GB-month, 1,000 requests."""
    price_list: Listing
    regions: dict[str, RegionalPrice]
    """By region; `all` where it is the same everywhere."""


class SpotPrice(Fact):
    """Spot prices per hour of an instance type in the zones of a region, on one day."""

    low: float
    usual: float
    high: float
    on_demand: float
    """The on-demand price of that day."""


class SpotRange(NamedTuple):
    """What an hour of spot may cost."""

    low: float
    usual: float
    high: float
    source: str


@cache
def prices() -> dict[str, PricedThing]:
    """Everything that has a price, by key."""
    found = {
        key: PricedThing.model_validate(
            {
                **thing,
                "priceList": _with_source(thing["priceList"]),
                "regions": {region: _with_source(entry) for region, entry in thing["regions"].items()},
            }
        )
        for key, thing in load("prices.yaml")["prices"].items()
    }
    listed = price_list().prices
    return {
        key: thing.model_copy(update={"regions": _newest(thing, listed.get(key, {}))}) for key, thing in found.items()
    }


def price(key: str, region: str, listed: PriceList = NO_PRICES) -> RegionalPrice | None:
    """What something costs in a region; None where no source says so.

    Where a region stands in for another one, its price is an estimate. Something that the catalog does not have at all,
    such as a database of a class that it does not know, has no price either.

    Arguments:
        key: its key in `prices()`.
        region: the AWS region.
        listed: prices that count before the catalog's own.
    """
    thing = prices().get(key)
    if thing is None:
        return None
    regions = _newest(thing, listed.prices.get(key, {}))
    if found := regions.get(region) or regions.get(EVERYWHERE):
        return found
    other = load("prices.yaml")["standIns"].get(region)
    there = regions.get(other)
    return there and there.model_copy(update={"confidence": "estimate", "note": f"price of {other}"})


@cache
def instance_listing() -> Listing:
    """How the on-demand price of an EC2 instance type is found, with its name as the attribute `instanceType`."""
    return Listing.model_validate(_with_source(load("prices.yaml")["instanceTypes"]))


def usage_type_prefixes(region: str) -> tuple[str, ...]:
    """What usage types may begin with in a region."""
    return tuple(load("prices.yaml")["usageTypePrefixes"][region])


def price_list_units(unit: str) -> dict[str, float]:
    """The units in which the Price List may quote what the catalog counts in this one; how many of each make one."""
    return dict(load("prices.yaml")["units"][unit])


def _with_source(entry: dict) -> dict:
    source = load("prices.yaml")["sources"][entry["source"]]
    return {**entry, "source": f"{source['what']}: {source['where']}", "date": source["date"]}


def _newest(thing: PricedThing, listed: Mapping[str, ListedPrice]) -> dict[str, RegionalPrice]:
    """The prices of something by region, with those of a price list instead of others."""
    return thing.regions | {
        region: RegionalPrice(usd=each.usd, confidence="high", source=each.source, date=each.date)
        for region, each in listed.items()
    }


@cache
def unseen_prices() -> dict[str, tuple[str, ...]]:
    """By resource type: the keys of what it makes that the program does not register, and that costs by the hour."""
    return {resource_type: tuple(keys) for resource_type, keys in load("prices.yaml")["unseen"].items()}


@cache
def free_types() -> dict[str, str]:
    """The resource types that cost nothing themselves, and why."""
    return {resource_type: why for why, types in load("prices.yaml")["free"].items() for resource_type in types}


@cache
def spot_prices() -> dict[str, dict[str, SpotPrice]]:
    """The spot prices that a source has, by instance type and region."""
    return {
        name: {region: SpotPrice.model_validate(entry) for region, entry in regions.items()}
        for name, regions in load("prices.yaml")["spot"].items()
    }


def spot_range(instance_type: str, region: str, on_demand: float) -> SpotRange:
    """What an hour of spot may cost, at most what on demand costs.

    Where no source has the type in the region, it is the on-demand price less the discounts that others had: the
    largest, the median and the smallest.
    """
    own = spot_prices().get(instance_type, {}).get(region)
    if own:
        low, usual, high = (min(usd, on_demand) for usd in (own.low, own.usual, own.high))
        return SpotRange(low, usual, high, "spot prices of one day of 2025 in the zones of the region")
    most, usual_discount, least = _discounts()
    source = f"on demand less {most:.0%}, {usual_discount:.0%} or {least:.0%}, the discounts of other types"
    return SpotRange(on_demand * (1 - most), on_demand * (1 - usual_discount), on_demand * (1 - least), source)


@cache
def _discounts() -> tuple[float, float, float]:
    samples = [
        sample
        for name, regions in spot_prices().items()
        if not name.startswith(_OLDER_ON_DEMAND_PRICES)
        for sample in regions.values()
    ]
    most = max(1 - sample.low / sample.on_demand for sample in samples)
    least = min(1 - sample.high / sample.on_demand for sample in samples)
    return most, median(1 - sample.usual / sample.on_demand for sample in samples), least
