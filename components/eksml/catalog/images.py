"""Container images at their pinned tags."""

from functools import cache

from eksml.catalog._facts import SourcedFact, load


class Image(SourcedFact):
    """One container image."""

    repository: str
    tag: str
    architectures: tuple[str, ...] | None
    """The CPU architectures that it is built for; None: not known."""


@cache
def images() -> dict[str, Image]:
    """Every image of the catalog, by name."""
    return {name: Image.model_validate(entry) for name, entry in load("images.yaml")["images"].items()}
