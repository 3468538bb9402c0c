"""Which prices are wanted, and how AWS is asked for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from eksml import catalog
from eksml.catalog import EVERYWHERE
from eksml.errors import InputError, listed, nearest

_WITHOUT_PREFIX = (EVERYWHERE, "us-east-1")


@dataclass(frozen=True)
class Wanted:
    """A price in a region."""

    group: Literal["prices", "instance_types"]
    """Which prices of a PriceList it is one of."""
    name: str
    """Its key there."""
    region: str
    """The AWS region, or `all`."""
    what: str
    unit: str
    listing: catalog.Listing

    def old_usd(self, before: catalog.PriceList) -> float | None:
        """What bills count with so far: a price of these, else of the catalog."""
        if self.group == "instance_types":
            known = catalog.on_demand_price(self.name, self.region, before)
        else:
            known = catalog.price(self.name, self.region, before)
        return known.usd if known else None

    def filters(self) -> Iterator[list[dict[str, str]]]:
        """The filters of each request that it takes: one for every name that the usage type may have."""
        exact = dict(self.listing.attributes)
        if self.region != EVERYWHERE:
            exact[self.listing.region_attribute] = self.region
        filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in exact.items()]
        for name in self.listing.usage_types:
            yield [*filters, {"Type": "CONTAINS", "Field": "usagetype", "Value": name}]
        if not self.listing.usage_types:
            yield filters

    def fits(self, usage_type: str) -> bool:
        """Whether a usage type is meant, and not one that has its name in it, as RegionalNatGateway-Hours has."""
        names = self.listing.usage_types
        starts = [] if self.region == EVERYWHERE else [*catalog.usage_type_prefixes(self.region), self.region]
        own = {f"{start}-{name}" for start in starts for name in names}
        return not names or usage_type in own or (self.region in _WITHOUT_PREFIX and usage_type in names)


def wanted_in(regions: Iterable[str]) -> list[Wanted]:
    """Every price of the catalog in regions, known or not; of instance types where EC2 offers them.

    Raises InputError for a region of which the catalog does not know the instance types.
    """
    chosen, known = list(dict.fromkeys(regions)), sorted(catalog.priced_regions())
    for region in chosen:
        if region not in known:
            raise InputError(f"--region {region}: must be {listed(known)}{nearest(region, known)}")
    return [*_things(chosen), *_instance_types(chosen)]


def _things(regions: list[str]) -> Iterator[Wanted]:
    for key, thing in catalog.prices().items():
        for region in (EVERYWHERE,) if EVERYWHERE in thing.regions else regions:
            yield Wanted("prices", key, region, thing.what, thing.unit, thing.price_list)


def _instance_types(regions: list[str]) -> Iterator[Wanted]:
    listing = catalog.instance_listing()
    for name, fact in catalog.instance_types().items():
        own = listing.model_copy(update={"attributes": listing.attributes | {"instanceType": name}})
        for region in regions:
            if region in fact.regions:
                yield Wanted("instance_types", name, region, f"EC2 {name}, on demand", "hour", own)
