"""The AWS services that a VPC can reach through interface endpoints."""

from functools import cache

from eksml.catalog._facts import SourcedFact, load


class VpcEndpoints(SourcedFact):
    """Interface endpoints by service name."""

    services: tuple[str, ...]
    needed_without_nat: tuple[str, ...]
    """What a cluster's nodes and controllers call, so that it works without a NAT gateway."""


@cache
def vpc_endpoints() -> VpcEndpoints:
    """The interface endpoints of the catalog."""
    return VpcEndpoints.model_validate(load("vpc_endpoints.yaml"))
