"""Quantities of Kubernetes: `500m`, `4Gi`, `1e3`."""

import re
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from math import ceil
from typing import Any


def amount_of(resource: str, amount: Any) -> int:
    """A quantity of Kubernetes: cores in thousandths, memory and disk in MiB, others whole; 0 for what is no quantity.

    Like Kubernetes it rounds up and goes no further than 64 bits, but a part of a MiB does not count.
    Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
    """
    match = _QUANTITY.fullmatch(str(amount))
    if match is None:
        return 0
    whole = _EXACT.multiply(_EXACT.create_decimal(match["number"]), _UNITS[match["unit"] or ""])
    whole = max(-_MOST, min(whole, _MOST))
    if resource == "cpu":
        return ceil(_EXACT.multiply(whole, 1000))
    return int(_EXACT.divide(whole, 2**20)) if resource in ("memory", "ephemeral-storage") else ceil(whole)


def in_words(resource: str, amount: int) -> str:
    """An amount with its unit."""
    if resource == "cpu":
        return f"{amount / 1000:g} vCPUs"
    return f"{amount} {_IN_WORDS.get(resource, resource)}"


_IN_WORDS = {"memory": "MiB of memory", "ephemeral-storage": "MiB of disk"}
_QUANTITY = re.compile(
    r"(?P<number>[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(?P<exponent>[eE][+-]?[0-9]+)?)"
    r"(?(exponent)|(?P<unit>[numkMGTPE]|[KMGTPE]i)?)"
)
_EXACT = Context(prec=100, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])
_MOST = Decimal(2**63 - 1)
_UNITS = {
    **{
        unit: Decimal(10) ** power for power, unit in zip(range(-9, 19, 3), ("n", "u", "m", "", *"kMGTPE"), strict=True)
    },
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}
