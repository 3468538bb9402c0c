"""What the Price List answers: the one price in it, or why there is none. It never guesses."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from pydantic import BaseModel, Field, ValidationError

from eksml import catalog
from eksml.errors import listed
from eksml.prices.wanted import Wanted


class NoPrice(Exception):  # noqa: N818
    """There is no price in a reply; its text says why."""


class _Dimension(BaseModel):
    """The price of one tier."""

    begin: Decimal = Field(alias="beginRange")
    unit: str
    price: dict[str, Decimal] = Field(alias="pricePerUnit")
    """By currency."""


class _Term(BaseModel):
    dimensions: dict[str, _Dimension] = Field(alias="priceDimensions")


class _Terms(BaseModel):
    on_demand: dict[str, _Term] = Field(default_factory=dict, alias="OnDemand")


class _Product(BaseModel):
    sku: str
    attributes: dict[str, str]


class _Entry(BaseModel):
    """A product of the Price List with its prices, as far as they are read."""

    product: _Product
    terms: _Terms


def price_in(reply: Iterable[str], wanted: Wanted) -> catalog.ListedPrice:
    """The price that the entries of a reply agree on. Raises NoPrice."""
    entries = [entry for entry in map(_entry, reply) if wanted.fits(entry.product.attributes.get("usagetype", ""))]
    prices = {entry.product.sku: _usd(entry, wanted.unit) for entry in entries}
    if not prices:
        raise NoPrice("the Price List has no such product")
    if len(set(prices.values())) > 1:
        several = ", ".join(f"{usd:g} (SKU {sku})" for sku, usd in sorted(prices.items()))
        raise NoPrice(f"the Price List has several prices of it: {several}")
    sku, usd = min(prices.items())
    return catalog.ListedPrice(usd=usd, date=catalog.today(), sku=sku)


def _entry(text: str) -> _Entry:
    try:
        return _Entry.model_validate_json(text)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"])) or "the whole"
        raise NoPrice(f"an entry of the reply cannot be read: {place}") from None


def _usd(entry: _Entry, unit: str) -> float:
    """What one unit of ours costs in the first tier that costs something: free allowances are in no bill."""
    prices = {_first_paid(term, unit) for term in entry.terms.on_demand.values()}
    if not prices:
        raise NoPrice(f"it has no price on demand (SKU {entry.product.sku})")
    if len(prices) > 1:
        several = listed(f"{price:g}" for price in sorted(prices))
        raise NoPrice(f"it has several prices on demand (SKU {entry.product.sku}): {several}")
    (price,) = prices
    if price <= 0:
        raise NoPrice(f"its price is {price:g} (SKU {entry.product.sku})")
    return price


def _first_paid(term: _Term, unit: str) -> float:
    tiers = sorted(term.dimensions.values(), key=lambda tier: tier.begin)
    prices = [_in_our_unit(tier, unit) for tier in tiers]
    return next((price for price in prices if price), 0.0)


def _in_our_unit(tier: _Dimension, unit: str) -> float:
    if "USD" not in tier.price:
        raise NoPrice(f"its price is in {listed(tier.price) or 'no currency'}, not in USD")
    known = {name.lower(): factor for name, factor in catalog.price_list_units(unit).items()}
    if tier.unit.lower() not in known:
        raise NoPrice(f"its price is for '{tier.unit}', must be for {listed(catalog.price_list_units(unit))}")
    return float(tier.price["USD"] * Decimal(str(known[tier.unit.lower()])))
