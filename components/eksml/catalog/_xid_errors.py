"""Xid errors: which of those that NVIDIA's driver reports are the end of a GPU."""

from functools import cache

from eksml.catalog._facts import SourcedFact, load


class XidErrors(SourcedFact):
    """What is known of Xid errors."""

    fatal: dict[int, str]
    """By number: those after which the node is to be replaced, each with what it means."""


@cache
def xid_errors() -> XidErrors:
    """What the catalog knows of Xid errors."""
    return XidErrors.model_validate(load("xid_errors.yaml"))
