"""The kinds of nodes that the pools of a Plan can have, each with what an hour of it may cost."""

from __future__ import annotations

from dataclasses import dataclass

from eksml import catalog
from eksml.checks.nodes import NODE_GROUP, Node, capacity_types, most_nodes, nodes_of
from eksml.checks.quantities import amount_of
from eksml.costs.amounts import Range
from eksml.costs.basis import Basis


@dataclass(frozen=True, eq=False)
class Offer:
    """A kind of node that a pool can have, with its price."""

    node: Node
    usd: Range
    """For an hour."""
    capacity: str
    """On demand, spot, or both, as a person reads it."""
    source: str
    confidence: str
    price_date: str
    """When the on-demand price was read: a day or a month."""

    @property
    def is_elastic(self) -> bool:
        """Whether Karpenter brings it when a pod needs it."""
        return self.node.pool.type != NODE_GROUP

    @property
    def limits(self) -> dict[str, int]:
        """What the nodes of its pool may have together, of what this one has some of; empty: as much as they like."""
        limits = {} if not self.is_elastic else self.node.pool.inputs["spec"].get("limits") or {}
        capacity = self.node.capacity
        return {key: amount_of(key, limit) for key, limit in limits.items() if capacity.get(key)}

    @property
    def most(self) -> int | None:
        """How many of it the pool can have: Karpenter brings none that would go beyond a limit. None: no limit."""
        return most_nodes(self.node)


def offers_of(basis: Basis) -> list[Offer]:
    """Every kind of node that has a price, by pool."""
    return [offer for node in nodes_of(basis.plan) if (offer := _offer(node, basis))]


def why_no_price(node: Node, basis: Basis) -> str:
    """Why a kind of node is no offer."""
    if "block" in capacity_types(node.pool):
        return "a capacity block is paid in advance, at a price of its own"
    return f"the catalog has no price of it in {basis.region}"


def _offer(node: Node, basis: Basis) -> Offer | None:
    capacity = capacity_types(node.pool)
    price = catalog.on_demand_price(node.instance_type, basis.region, basis.listed)
    if price is None or price.usd is None or "block" in capacity:
        return None
    if "spot" not in capacity:
        confidence = "low" if price.source == "derived-low-confidence" else "high"
        return Offer(node, Range.exactly(price.usd), "on demand", f"on demand: {price.source}", confidence, price.date)
    spot = catalog.spot_range(node.instance_type, basis.region, price.usd)
    source = f"on demand: {price.source}; spot: {spot.source}"
    words = "spot before on demand" if "demand" in capacity else "spot"
    # EC2 asks no more for spot than for on demand, unless somebody offers more:
    # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-instances.html
    return Offer(node, Range(spot.low, spot.usual, price.usd), words, source, "estimate", price.date)
