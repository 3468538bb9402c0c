"""Overlays of kustomize that upstream projects keep in git, for software that has no chart."""

from functools import cache
from typing import Literal

from eksml.catalog._eks_addons import Nodes
from eksml.catalog._facts import Fact, SourcedFact, load

# kustomize's own default is 27 seconds, for the whole history of a repository.
_FETCH_SECONDS = 300


class OverlayObject(Fact):
    """One object of an overlay, by what tells it from all others."""

    api_version: str
    kind: str
    name: str
    namespace: str | None


class OverlayWorkload(Fact):
    """A workload that an overlay starts."""

    name: str
    kind: Literal["DaemonSet", "Deployment"]
    nodes: Nodes
    labels: dict[str, str]
    """Labels that tell its pods from all others in its namespace."""
    container: str
    """The name of its container."""
    image: str
    """The image's name in the catalog."""
    image_in_overlay: str
    """The image's address as the overlay writes it, without a tag."""
    job_images: tuple[str, ...]
    """By their names in the catalog, the images that it starts in the pods of jobs."""


class Overlay(SourcedFact):
    """One overlay at its pinned tag, and all that the tag holds."""

    repository: str
    path: str
    ref: str
    namespace: str | None
    setting: str
    """The setting of a platform that brings it."""
    objects: tuple[OverlayObject, ...]
    workloads: tuple[OverlayWorkload, ...]

    @property
    def folder(self) -> str:
        """Where it is, at whatever tag."""
        return f"{self.repository}//{self.path}"

    @property
    def address(self) -> str:
        """Its address as kustomize reads it."""
        return f"{self.folder}?ref={self.ref}&timeout={_FETCH_SECONDS}s&submodules=false"

    def workload(self, name: str) -> OverlayWorkload:
        """One of its workloads."""
        return next(each for each in self.workloads if each.name == name)

    @property
    def crds(self) -> tuple[str, ...]:
        """The names of the CustomResourceDefinitions in it."""
        return tuple(each.name for each in self.objects if each.kind == "CustomResourceDefinition")


@cache
def kustomizations() -> dict[str, Overlay]:
    """Every overlay of the catalog, by name."""
    return {
        name: Overlay.model_validate(entry) for name, entry in load("kustomizations.yaml")["kustomizations"].items()
    }
