"""What a served model costs, by the hour, by the request and by the token."""

from __future__ import annotations

from typing import NamedTuple

from eksml.costs.runs import check_amount, run_cost

_SECONDS_PER_HOUR = 3600


class ServedModelCost(NamedTuple):
    """US dollars for a served model; None where it is not applicable: nobody asks, or nothing was measured."""

    usd_per_hour: float
    usd_per_thousand_requests: float | None
    usd_per_million_tokens: float | None


def served_model_cost(
    instance_type: str,
    region: str,
    *,
    nodes: int = 1,
    requests_per_hour: float | None = None,
    tokens_per_second: float | None = None,
) -> ServedModelCost | None:
    """What a model costs that runs all the time on nodes of one EC2 type, on demand; None: the price is not known.

    Arguments:
        instance_type: the EC2 type of its nodes.
        region: AWS region of the price.
        nodes: how many nodes all its replicas take together.
        requests_per_hour: how many requests it answers, on average.
        tokens_per_second: how many tokens it makes, on average, as stated or as a load test measured it. At its most it
            gives the least that a token can cost.

    Raises InputError for a type or a region that the catalog does not have, and for what is no amount.
    """
    for name, amount in (("requests_per_hour", requests_per_hour), ("tokens_per_second", tokens_per_second)):
        if amount is not None:
            check_amount(name, amount)
    usd = run_cost(instance_type, nodes, 1, region)
    if usd is None:
        return None
    return ServedModelCost(
        usd,
        usd / requests_per_hour * 1_000 if requests_per_hour else None,
        usd / (tokens_per_second * _SECONDS_PER_HOUR) * 1_000_000 if tokens_per_second else None,
    )
