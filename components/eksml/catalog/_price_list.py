"""Prices as the AWS Price List has them: what `eksml prices refresh` writes, for the catalog or for oneself."""

from datetime import date
from functools import cache
from typing import Annotated

from pydantic import Field

from eksml.catalog._facts import Fact, load

Usd = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class ListedPrice(Fact):
    """A price of the Price List."""

    usd: Usd
    """For one unit, as the catalog counts."""
    date: date
    """When AWS was asked."""
    sku: str
    """AWS's name of the product."""

    @property
    def source(self) -> str:
        """Where it comes from, in words."""
        return f"AWS Price List, SKU {self.sku}"


class PriceList(Fact):
    """What was found in the Price List, by name and region."""

    instance_types: dict[str, dict[str, ListedPrice]] = Field(default={})
    """On-demand prices for an hour."""
    prices: dict[str, dict[str, ListedPrice]] = Field(default={})
    """Those of everything else, by the keys of `prices()`."""


NO_PRICES = PriceList()


@cache
def price_list() -> PriceList:
    """The prices of the Price List that the catalog comes with. They count before what other sources say."""
    return PriceList.model_validate(load("price_list.json"))
