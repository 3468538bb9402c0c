"""Programs that `pulumi up` needs on the machine that runs it."""

from functools import cache
from typing import Literal

from eksml.catalog._facts import SourcedFact, load


class Program(SourcedFact):
    """A program, and the oldest version that works."""

    command: tuple[str, ...]
    """What makes it say its version."""
    least: str
    needed: Literal["always", "overlays"]
    """By every stack, or by one with an overlay of kustomize."""
    get: str
    """Where it is had."""


class VersionSkew(SourcedFact):
    """How far two versions may be apart."""

    minor_versions: int


@cache
def programs() -> dict[str, Program]:
    """The programs, by name."""
    return {name: Program.model_validate(entry) for name, entry in load("programs.yaml")["programs"].items()}


def kubectl_skew() -> int:
    """How many minor versions kubectl may be from its cluster."""
    return VersionSkew.model_validate(load("programs.yaml")["kubectlSkew"]).minor_versions
