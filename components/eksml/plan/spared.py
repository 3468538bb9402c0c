"""Spares what the Pulumi SDK does for each resource and no Plan holds: a fifth of a recording's time and more."""

import sys
from collections.abc import Generator
from contextlib import contextmanager

import pulumi
from pulumi.runtime import resource as sdk
from pulumi.runtime.settings import get_project, get_stack


@contextmanager
def spared_work() -> Generator[None]:
    """While it lasts, the SDK takes no stack traces, and a URN of plain text is made without the event loop.

    The SDK makes a URN for each resource, by a dozen tasks, only to answer programs that run without an engine.
    """
    had_limit, had_create_urn = getattr(sys, "tracebacklimit", None), sdk.create_urn
    sys.tracebacklimit = 1
    # ty takes a function that is defined for the only value that its name can have.
    sdk.create_urn = _create_urn  # ty: ignore[invalid-assignment]
    try:
        yield
    finally:
        sdk.create_urn = had_create_urn
        if had_limit is None:
            del sys.tracebacklimit
        else:
            sys.tracebacklimit = had_limit


def _create_urn(
    name: pulumi.Input[str],
    type_: pulumi.Input[str],
    parent: pulumi.Resource | pulumi.Input[str] | None = None,
    project: str | None = None,
    stack: str | None = None,
) -> pulumi.Output[str]:
    if not (isinstance(name, str) and isinstance(type_, str) and isinstance(parent, str | None)):
        return pulumi.create_urn(name, type_, parent, project, stack)
    owner = f"urn:pulumi:{stack or get_stack()}::{project or get_project()}::"
    return pulumi.Output.from_input(f"{_chain(parent) if parent else owner}{type_}::{name}")


def _chain(parent: str) -> str:
    return parent.rpartition("::")[0] + "$"
