"""What the nodes of one run cost."""

from eksml.catalog import instance_types


def run_cost(instance_type: str, nodes: int, hours: float, region: str) -> float | None:
    """US dollars for nodes of one EC2 type, for some hours, at the on-demand price of a region; None: not known.

    Storage, data transfer and the platform itself come on top.
    """
    price = instance_types()[instance_type].on_demand_usd_per_hour.get(region)
    return None if price is None or price.usd is None else nodes * hours * price.usd
