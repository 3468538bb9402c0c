"""What the nodes of one run cost."""

from eksml.catalog import instance_types
from eksml.errors import InputError, nearest


def run_cost(instance_type: str, nodes: int, hours: float, region: str) -> float | None:
    """US dollars for nodes of one EC2 type, for some hours, at the on-demand price of a region; None: not known.

    Storage, data transfer and the platform itself come on top. Raises InputError for a type that the catalog does not
    have, and for less than nothing.
    """
    for name, amount in (("nodes", nodes), ("hours", hours)):
        if not amount >= 0:
            raise InputError(f"{name}: {amount} given, must be at least 0")
    fact = instance_types().get(instance_type)
    if fact is None:
        raise InputError(f"instance type '{instance_type}' does not exist{nearest(instance_type, instance_types())}")
    price = fact.on_demand_usd_per_hour.get(region)
    return None if price is None or price.usd is None else nodes * hours * price.usd
