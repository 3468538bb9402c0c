"""What the nodes of one run cost."""

from math import isfinite

from eksml.catalog import NO_PRICES, PriceList, instance_types, on_demand_price, priced_regions, spot_range
from eksml.costs.amounts import Range
from eksml.errors import InputError, listed, nearest


def run_cost(instance_type: str, nodes: int, hours: float, region: str, prices: PriceList = NO_PRICES) -> float | None:
    """US dollars for nodes of one EC2 type, for some hours, at the on-demand price of a region; None: not known.

    Storage, data transfer and the platform itself come on top. Prices that are given count before the catalog's.
    Raises InputError for a type or a region that the catalog does not have, and for what is no amount.
    """
    check_amount("nodes", nodes)
    if nodes < 1:
        raise InputError(f"nodes: {nodes} given, must be at least 1")
    check_amount("hours", hours)
    if region not in priced_regions():
        known = sorted(priced_regions())
        raise InputError(f"region: the catalog has no prices of {region!r}, it has those of {listed(known)}")
    if instance_type not in instance_types():
        raise InputError(f"instance type '{instance_type}' does not exist{nearest(instance_type, instance_types())}")
    price = on_demand_price(instance_type, region, prices)
    return None if price is None or price.usd is None else nodes * hours * price.usd


def spot_run_cost(
    instance_type: str, nodes: int, hours: float, region: str, prices: PriceList = NO_PRICES
) -> Range | None:
    """The same on spot: the cheapest zone of one day, the middle, and on demand; None: no price, or EC2 has no spot.

    Raises InputError as run_cost() does.
    """
    hour = run_cost(instance_type, 1, 1, region, prices)
    most = run_cost(instance_type, nodes, hours, region, prices)
    if hour is None or most is None or instance_types()[instance_type].spot is False:
        return None
    hourly = spot_range(instance_type, region, hour)
    return Range(hourly.low * nodes * hours, hourly.usual * nodes * hours, most)


def check_amount(name: str, amount: object) -> None:
    """Raises InputError for what is no number of at least 0."""
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not isfinite(amount):
        raise InputError(f"{name}: {amount!r} given, must be a number, such as 2.5")
    if amount < 0:
        raise InputError(f"{name}: {amount} given, must be at least 0")
