"""Service-linked roles: what AWS's own services act as in an account."""

from functools import cache
from typing import Literal

from eksml.catalog._facts import SourcedFact, load


class ServiceRole(SourcedFact):
    """A role of an AWS service."""

    service: str
    types: tuple[str, ...]
    """The Pulumi types of the resources that need it."""
    made_by: Literal["caller", "controller", "nobody"]
    """Who makes it with the first of them."""


@cache
def service_roles() -> dict[str, ServiceRole]:
    """Every service-linked role of the catalog, by name."""
    return {name: ServiceRole.model_validate(entry) for name, entry in load("service_roles.yaml")["roles"].items()}
