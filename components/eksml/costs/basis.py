"""What a bill rests on: the Plan, its region and the assumptions; and how a line comes of that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from eksml import catalog, names
from eksml.costs.amounts import HOURS_PER_MONTH, Range
from eksml.costs.assumptions import Consulted
from eksml.costs.bill import PLATFORM, Item, NotPriced
from eksml.errors import InputError, listed
from eksml.plan import Plan, Resource
from eksml.plan.region import regions_named

Line = Item | NotPriced

_PLATFORM_TYPE = "eksml:platform:Platform"
_PURPOSES = {
    "accelerators": "cluster",
    "cluster": "cluster",
    "kustomization": "cluster",
    "network": "network",
    "notebooks": "notebooks",
    "observability": "observability",
    "serving": "serving",
    "storage": "storage",
    "tracking": "tracking",
    "training": "training",
}


@dataclass(frozen=True)
class Basis:
    """What a bill rests on."""

    plan: Plan
    region: str
    assumptions: Consulted
    listed: catalog.PriceList
    """Prices that count before the catalog's own."""

    @cached_property
    def _teams(self) -> dict[str, str]:
        """The team of each namespace that is one's."""
        labels = {
            str(metadata.get("name")): (metadata.get("labels") or {}).get(names.TEAM_LABEL)
            for each in self.plan.of_type("kubernetes:core/v1:Namespace")
            if (metadata := each.inputs.get("metadata") or {})
        }
        return {namespace: team for namespace, team in labels.items() if team}

    def team_of(self, namespace: object) -> str:
        """The team that a namespace is of, or the platform."""
        return self._teams.get(str(namespace), PLATFORM)

    def line(
        self,
        resource: Resource,
        key: str,
        quantity: Range,
        purpose: str,
        what: str = "",
    ) -> Line:
        """A line for so much of something with a price; where the region has none, it is not priced."""
        thing, price = catalog.prices().get(key), catalog.price(key, self.region, self.listed)
        what = what or (thing.what if thing else key)
        if thing is None or price is None:
            return self.not_priced(resource, what, f"the catalog has no price of it in {self.region}")
        return Item(
            resource.urn,
            resource.name,
            what,
            quantity,
            thing.unit,
            Range.exactly(price.usd),
            f"{price.source} ({price.date})" + (f": {price.note}" if price.note else ""),
            price.confidence,
            {self.purpose_of(resource, purpose): 1.0},
            shares=self.shares_of(resource),
            price_date=str(price.date),
        )

    def hourly(self, resource: Resource, key: str, purpose: str, what: str = "", count: float = 1) -> Line:
        """A line for something that is there all the time."""
        return self.line(resource, key, Range.exactly(HOURS_PER_MONTH * count), purpose, what)

    def used(self, resource: Resource, key: str, amount: float, purpose: str, what: str = "") -> Line:
        """A line for something that is charged by use: perhaps nothing, by assumption so much."""
        return self.line(resource, key, Range.up_to(amount), purpose, what)

    def not_priced(self, resource: Resource, what: str, reason: str) -> NotPriced:
        """A line for something of which no price is known."""
        return NotPriced(resource.urn, resource.name, what, reason)

    def shares_of(self, resource: Resource) -> Mapping[str, float]:
        """Whose a resource is: the team's in whose namespace it lies, by its tag, or the platform's."""
        if resource.package == "kubernetes":
            return {self.team_of((resource.inputs.get("metadata") or {}).get("namespace")): 1.0}
        tags = resource.inputs.get("tags")
        team = tags.get(names.TEAM_TAG) if isinstance(tags, Mapping) else None
        return {str(team or PLATFORM): 1.0}

    def purpose_of(self, resource: Resource, usual: str) -> str:
        """What a resource is for, by the outermost component that it belongs to below the platform."""
        for room in reversed([each.type.split(":")[1] for each in self._above(resource)]):
            if room in _PURPOSES:
                return _PURPOSES[room]
        return usual

    def _above(self, resource: Resource) -> Iterator[Resource]:
        """The components of this library that a resource belongs to, from the inside to the outside."""
        parent = self.plan.by_urn.get(resource.parent or "")
        while parent is not None:
            if parent.package == "eksml" and parent.type != _PLATFORM_TYPE:
                yield parent
            parent = self.plan.by_urn.get(parent.parent or "")


def region_of(plan: Plan) -> str:
    """The region of a Plan: as its platform says, or as the zones of its subnets do.

    Raises InputError where it says neither, or where the catalog has no prices of the region.
    """
    region = next(regions_named(plan), None)
    known = sorted(catalog.priced_regions())
    if region is None:
        raise InputError(f"{plan.stack}: nothing in it says in which region it is, so it has no prices")
    if region not in known:
        raise InputError(f"{plan.stack}: the catalog has no prices of {region}, it has those of {listed(known)}")
    return region
