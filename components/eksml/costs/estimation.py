"""What a Plan costs: a pure function of the Plan, the catalog and what is assumed of its use."""

from __future__ import annotations

from eksml.costs.assumptions import Assumptions
from eksml.costs.aws_resources import aws_lines
from eksml.costs.basis import Basis, region_of
from eksml.costs.bill import Bill, Item, NotPriced
from eksml.costs.kubernetes_resources import kubernetes_lines
from eksml.costs.notebooks import notebook_lines
from eksml.costs.pools import pool_lines
from eksml.plan import Plan


def estimate(plan: Plan, assumptions: Assumptions | None = None) -> Bill:
    """The bill of a Plan; of a workload's, that of its platform with it.

    Arguments:
        plan: what a program registers.
        assumptions: how much of what is charged by use is used; the defaults are estimates.

    Raises InputError where the Plan does not say in which region it is, or the catalog has no prices of that.
    """
    whole = plan.with_platform
    basis = Basis(whole, region_of(whole), assumptions or Assumptions())
    lines = [*pool_lines(basis), *aws_lines(basis), *kubernetes_lines(basis), *notebook_lines(basis)]
    items = sorted(
        (line for line in lines if isinstance(line, Item)),
        key=lambda item: (-item.monthly.expected, item.urn, item.what),
    )
    unknown = sorted(
        (line for line in lines if isinstance(line, NotPriced)), key=lambda line: (line.resource, line.urn, line.what)
    )
    return Bill(plan.stack, basis.region, tuple(items), tuple(unknown), basis.assumptions)
