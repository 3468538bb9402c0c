"""A Price List for tests: entries as AWS writes them, and accounts that answer with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from eksml import catalog
from eksml.account import Account
from eksml.prices.wanted import Wanted, wanted_in
from preflight.accounts import moto_account

PREFIXES = {
    "all": "",
    "ap-northeast-1": "APN1-",
    "ap-southeast-1": "APS1-",
    "eu-central-1": "EUC1-",
    "eu-west-1": "EU-",
    "us-east-1": "",
    "us-east-2": "USE2-",
    "us-west-2": "USW2-",
}
# How AWS quotes what the catalog counts in these units, and how many of its units are one of ours.
QUOTED = {
    "GB": ("GB", 1),
    "GB-month": ("GB-Mo", 1),
    "IOPS-month": ("IOPS-Mo", 1),
    "MB/s-month": ("MiBps-Mo", 1),
    "MiB/s-month": ("GiBps-mo", 1 / 1024),
    "alarm-month": ("Alarms", 1),
    "hour": ("Hrs", 1),
    "key-month": ("Keys", 1),
    "metric-month": ("Metrics", 1),
    "million requests": ("Requests", 1e6),
    "secret-month": ("Secrets", 1),
    "ten thousand requests": ("API Requests", 1e4),
    "thousand requests": ("Requests", 1e3),
    "user-month": ("CognitoUserPoolsMAU", 1),
    "zone-month": ("HostedZone", 1),
}

Reply = Callable[[dict[str, Any]], dict[str, Any]]


def entry(usage_type: str, *tiers: str, unit: str = "Hrs", sku: str = "SKU1", currency: str = "USD") -> str:
    """A product with its prices, by tier: each begins 10,240 units after the one before."""
    begins = [str(10240 * number) for number in range(len(tiers))]
    dimensions = {
        f"{sku}.JRTCKXETXF.{number}": {
            "rateCode": f"{sku}.JRTCKXETXF.{number}",
            "unit": unit,
            "description": f"${usd} per {unit}",
            "appliesTo": [],
            "beginRange": begin,
            "endRange": end,
            "pricePerUnit": {currency: usd},
        }
        for number, (usd, begin, end) in enumerate(zip(tiers, begins, [*begins[1:], "Inf"], strict=False))
    }
    term = {
        "sku": sku,
        "offerTermCode": "JRTCKXETXF",
        "effectiveDate": "2026-11-01T00:00:00Z",
        "termAttributes": {},
        "priceDimensions": dimensions,
    }
    reserved = {"priceDimensions": {"R.1": {"unit": "Hrs", "pricePerUnit": {"USD": "0.0001"}}}, "sku": sku}
    return json.dumps(
        {
            "product": {
                "productFamily": "Compute",
                "sku": sku,
                "attributes": {"usagetype": usage_type, "locationType": "AWS Region", "servicename": "a service"},
            },
            "serviceCode": "AmazonEC2",
            "terms": {"OnDemand": {f"{sku}.JRTCKXETXF": term}, "Reserved": {f"{sku}.38NPMPTW36": reserved}},
            "version": "20261101000000",
            "publicationDate": "2026-11-01T00:00:00Z",
        }
    )


def one_wanted(name: str, region: str) -> Wanted:
    """The price of the catalog with this name, in a region or everywhere."""
    (found,) = (each for each in wanted_in([region]) if each.name == name)
    return found


def made_up(more: float = 1, left_out: tuple[str, ...] = ()) -> Reply:
    """A Price List that has every price of the catalog so many times as dear; what it has none of costs 7."""
    asked = {
        _key(each.listing.service, filters): (each, filters)
        for each in wanted_in(sorted(catalog.priced_regions()))
        for filters in each.filters()
    }

    def reply(params: dict[str, Any]) -> dict[str, Any]:
        wanted, filters = asked[_key(params["ServiceCode"], params["Filters"])]
        usage_type = filters[-1]["Value"] if filters[-1]["Type"] == "CONTAINS" else f"BoxUsage:{wanted.name}"
        unit, number = QUOTED[wanted.unit]
        usd = (wanted.old_usd(catalog.NO_PRICES) or 7) * more / number
        own = entry(f"{PREFIXES[wanted.region]}{usage_type}", f"{usd:.13f}", unit=unit, sku=f"OF{len(wanted.name)}")
        other = entry(f"{PREFIXES[wanted.region]}Other{usage_type}", "99", sku="OTHER")
        alike = [] if not wanted.listing.usage_types else [other]
        is_second = usage_type != (*wanted.listing.usage_types, usage_type)[0]
        return {"PriceList": [] if wanted.name in left_out or is_second else [*alike, own]}

    return reply


@contextmanager
def price_account(reply: Reply) -> Generator[Account]:
    """An account whose Price List answers so."""
    with moto_account({"pricing.GetProducts": reply}, "us-east-1") as (account, _):
        yield account


def _key(service: str, filters: list[dict[str, str]]) -> str:
    return json.dumps([service, *(list(each.values()) for each in filters)])
