"""The IAM actions that creating a resource takes."""

from functools import cache

from eksml.catalog._facts import load


@cache
def permissions() -> dict[str, tuple[str, ...]]:
    """The actions that creating a resource takes, by Pulumi type."""
    return {name: tuple(actions) for name, actions in load("permissions.yaml")["types"].items()}
