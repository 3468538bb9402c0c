"""What a Plan costs: a pure function of the Plan, the catalog and what is assumed of its use."""

from __future__ import annotations

import reprlib

from eksml.catalog import NO_PRICES, PriceList
from eksml.costs.assumptions import Assumptions, Consulted
from eksml.costs.aws_resources import aws_lines
from eksml.costs.basis import Basis, region_of
from eksml.costs.bill import Bill, Item, NotPriced
from eksml.costs.kubernetes_resources import kubernetes_lines
from eksml.costs.kubernetes_support import support_notes
from eksml.costs.notebooks import notebook_lines
from eksml.costs.pools import pool_lines
from eksml.errors import InputError
from eksml.plan import Plan


def estimate(plan: Plan, assumptions: Assumptions | None = None, prices: PriceList = NO_PRICES) -> Bill:
    """The bill of a Plan; of a workload's, that of its platform with it.

    Arguments:
        plan: what a program registers.
        assumptions: how much of what is charged by use is used; the defaults are estimates.
        prices: those that count before the catalog's own, as `eksml prices refresh` finds them.

    Raises InputError where the Plan does not say in which region it is, or the catalog has no prices of that, and for
    what is no Plan or no Assumptions.
    """
    for name, value, kind in (("plan", plan, Plan), ("assumptions", assumptions or Assumptions(), Assumptions)):
        if not isinstance(value, kind):
            raise InputError(f"{name}: {reprlib.repr(value)} given, must be {kind.__name__}")
    whole, assumed = plan.with_platform, assumptions or Assumptions()
    consulted = Consulted(assumed)
    basis = Basis(whole, region_of(whole), consulted, prices)
    lines = [*pool_lines(basis), *aws_lines(basis), *kubernetes_lines(basis), *notebook_lines(basis)]
    items = sorted(
        (line for line in lines if isinstance(line, Item)),
        key=lambda item: (-item.monthly.expected, item.urn, item.what),
    )
    unknown = sorted(
        (line for line in lines if isinstance(line, NotPriced)), key=lambda line: (line.resource, line.urn, line.what)
    )
    notes = tuple(support_notes(basis))
    return Bill(plan.stack, basis.region, tuple(items), tuple(unknown), assumed, frozenset(consulted.names), notes)
