"""Whose the nodes of a pool are, by the quotas that teams have of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from eksml import names
from eksml.checks.quantities import amount_of
from eksml.checks.queues import cluster_queues, nodes_of_flavor
from eksml.costs.basis import Basis
from eksml.costs.bill import PLATFORM
from eksml.costs.offers import Offer

# Quotas are rounded to whole cores.
_ROUNDING = 1e-9


def quota_shares(offers: Sequence[Offer], basis: Basis) -> Mapping[str, float]:
    """The share of each team in a pool: what is always its own of the GPUs, or of the CPUs where there are none.

    What no quota gives to a team is the platform's. Where a pool has no limit, the quotas count as all of it.
    """
    resource = main_resource(offers)
    promised = _promised(offers, resource, basis)
    held = max(offer.node.allocatable[resource] * (offer.most or 0) for offer in offers)
    whole = max(held, sum(promised.values()))
    shares = {team: amount / whole for team, amount in sorted(promised.items()) if amount}
    rest = 1 - sum(shares.values())
    return {**shares, PLATFORM: rest} if rest > _ROUNDING else shares


def main_resource(offers: Sequence[Offer]) -> str:
    """What a pool is shared by: its GPUs, or its CPUs where it has none."""
    return names.GPU_RESOURCE if any(offer.node.gpus for offer in offers) else "cpu"


def promised_to_teams(offers: Sequence[Offer], basis: Basis) -> int:
    """How much of its main resource the quotas of all teams promise."""
    return _promised(offers, main_resource(offers), basis).total()


def _promised(offers: Sequence[Offer], resource: str, basis: Basis) -> Counter[str]:
    """What the quotas of each team promise of a pool."""
    pool = offers[0].node.pool.urn
    promised = Counter[str]()
    for local in basis.plan.of_type(f"kubernetes:{names.KUEUE_API_VERSION}:LocalQueue"):
        team = basis.team_of(local.inputs["metadata"].get("namespace"))
        queue = cluster_queues(basis.plan).get(local.inputs["spec"].get("clusterQueue"), {})
        for flavor in (each for group in queue.get("resourceGroups") or () for each in group["flavors"]):
            if any(node.pool.urn == pool for node in nodes_of_flavor(flavor["name"], basis.plan)):
                promised[team] += sum(
                    amount_of(resource, quota["nominalQuota"])
                    for quota in flavor["resources"]
                    if quota["name"] == resource
                )
    return promised
