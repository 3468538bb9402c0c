"""Which changes of an input replace a resource, and what is lost with it."""

from functools import cache

from eksml.catalog._facts import SourcedFact, load

# Of the Kubernetes provider, but no object of Kubernetes.
_NO_OBJECTS = ("kubernetes:helm.sh/v3:Release", "kubernetes:kustomize/v2:Directory")


class Replacement(SourcedFact):
    """What a change of inputs does to resources of one type. Paths are as in a Plan, without the indices of lists."""

    stateful: bool
    """Whether something is lost with a resource that does not come back by itself."""
    replaced_by: tuple[str, ...]
    """Inputs whose change makes the provider replace the resource."""
    refused: tuple[str, ...] = ()
    """Inputs whose change is refused, so that the resource must be replaced by hand."""


@cache
def replacements() -> dict[str, Replacement]:
    """What is known of replacement, by resource type."""
    return {name: Replacement.model_validate(entry) for name, entry in load("replacements.yaml")["types"].items()}


@cache
def replacement(resource_type: str) -> Replacement | None:
    """What is known of one type; None: nothing. Every Kubernetes object is known by what all of them share."""
    known = replacements().get(resource_type)
    if not resource_type.startswith("kubernetes:") or resource_type in _NO_OBJECTS:
        return known
    shared = Replacement.model_validate(load("replacements.yaml")["kubernetes"])
    return known.model_copy(update={"replaced_by": shared.replaced_by + known.replaced_by}) if known else shared
