"""What a check finds."""

from typing import NamedTuple

from eksml.check_list import Severity
from eksml.plan import Resource


class Finding(NamedTuple):
    """One resource of which a check says something."""

    check: str
    resource: str
    """The resource's name, or that of the workload in it."""
    text: str
    urn: str
    """The resource's identity."""
    severity: Severity


class Found(NamedTuple):
    """What a check yields: the resource, and what is wrong with it."""

    resource: Resource
    text: str
    severity: Severity | None = None
    """How much it matters; by default as much as the check does."""
