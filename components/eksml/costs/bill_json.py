"""A Bill as plain data, for machines. Every amount is in US dollars; a limit that is not there is null."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eksml.costs.amounts import Range
from eksml.costs.bill import Bill, Item, NotPriced


def bill_json(bill: Bill) -> dict[str, Any]:
    """A Bill as `eksml cost --json` prints it."""
    return {
        "stack": bill.stack,
        "region": bill.region,
        "monthly": range_json(bill.monthly),
        "hourly": range_json(bill.hourly),
        "byPurpose": _ranges(bill.by_purpose()),
        "byTeam": _ranges(bill.by_team()),
        "byPool": _ranges(bill.by_pool()),
        "byResource": _ranges(bill.by_resource()),
        "items": [_item(item) for item in bill.items],
        "notPriced": [not_priced_json(each) for each in bill.not_priced],
        "notes": list(bill.notes),
        "assumptions": [each.as_json() for each in bill.assumptions.listed()],
    }


def not_priced_json(line: NotPriced) -> dict[str, str]:
    """What has no price as plain data."""
    return {"urn": line.urn, "resource": line.resource, "what": line.what, "reason": line.reason}


def range_json(amount: Range) -> dict[str, float | None]:
    """A range as plain data."""
    most = None if amount.most is None else round(amount.most, 6)
    return {"atLeast": round(amount.at_least, 6), "expected": round(amount.expected, 6), "most": most}


def _ranges(amounts: Mapping[str, Range]) -> dict[str, Any]:
    return {name: range_json(amount) for name, amount in amounts.items()}


def _item(item: Item) -> dict[str, Any]:
    return {
        "urn": item.urn,
        "resource": item.resource,
        "what": item.what,
        "quantity": range_json(item.quantity),
        "unit": item.unit,
        "unitPrice": range_json(item.unit_price),
        "monthly": range_json(item.monthly),
        "purposes": dict(item.purposes),
        "pool": item.pool,
        "shares": dict(item.shares),
        "source": item.source,
        "priceDate": item.price_date,
        "confidence": item.confidence,
    }
