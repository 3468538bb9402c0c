"""The IAM actions that creating, changing and deleting a resource take."""

from functools import cache

from eksml.catalog._facts import Fact, load


class Permissions(Fact):
    """The actions that a resource takes."""

    create: tuple[str, ...]
    """Those that create it, and read it back."""
    update: tuple[str, ...]
    """Those beyond them that change it in place, and its tags."""
    delete: tuple[str, ...]
    """Those beyond the first that delete it."""


@cache
def permissions() -> dict[str, Permissions]:
    """The actions that a resource takes, by Pulumi type."""
    return {name: Permissions.model_validate(entry) for name, entry in load("permissions.yaml")["types"].items()}
