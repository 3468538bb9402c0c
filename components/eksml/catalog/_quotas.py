"""Service quotas of AWS: by which codes they are asked for, and which instance types count against which."""

from functools import cache
from typing import Literal

from eksml.catalog._facts import Fact, SourcedFact, load

Purchase = Literal["onDemand", "spot"]
"""How an instance is bought."""


class InstanceQuota(SourcedFact):
    """How many vCPUs of some families may run at once."""

    name: str
    code: str
    purchase: Purchase
    families: tuple[str, ...]
    """How the names of its instance types begin."""


class Quota(SourcedFact):
    """How many of something there may be."""

    service: str
    code: str
    name: str


class Quotas(Fact):
    """What is known of service quotas."""

    instances: tuple[InstanceQuota, ...]
    others: dict[str, Quota]


@cache
def quotas() -> Quotas:
    """What is known of service quotas."""
    return Quotas.model_validate(load("quotas.yaml"))


@cache
def instance_quota(instance_type: str, purchase: Purchase) -> InstanceQuota | None:
    """The quota that an instance type counts against; None: no source says which."""
    fitting = [
        (len(family), index)
        for index, quota in enumerate(quotas().instances)
        for family in quota.families
        if quota.purchase == purchase and instance_type.startswith(family)
    ]
    return quotas().instances[max(fitting)[1]] if fitting else None
