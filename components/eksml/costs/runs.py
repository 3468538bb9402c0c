"""What the nodes of one run cost."""

from eksml.catalog import NO_PRICES, PriceList, instance_types, on_demand_price, priced_regions, spot_range
from eksml.costs.amounts import Range
from eksml.errors import InputError, listed, nearest
from eksml.given_numbers import amount_problems, count_problems


def run_cost(instance_type: str, nodes: int, hours: float, region: str, prices: PriceList = NO_PRICES) -> float | None:
    """US dollars for nodes of one EC2 type, for some hours, at the on-demand price of a region; None: not known.

    Storage, data transfer and the platform itself come on top. Prices that are given count before the catalog's.
    Raises InputError for a type or a region that the catalog does not have, and for what is no amount.
    """
    for problem in count_problems("nodes", nodes):
        raise InputError(problem)
    check_amount("hours", hours)
    if not isinstance(region, str) or region not in priced_regions():
        raise InputError(f"region: {region} has no prices in the catalog, {listed(sorted(priced_regions()))} have")
    if not isinstance(instance_type, str) or instance_type not in instance_types():
        near = nearest(str(instance_type), instance_types())
        raise InputError(f"instance_type: {instance_type} is not in the catalog of instance types{near}")
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
    """Raises InputError for what is no amount: a number of at least 0."""
    for problem in amount_problems(name, amount):
        raise InputError(problem)
