"""Software without a chart: an overlay that its project keeps in git, with changes of ours laid over it.

Kustomize reads folders, so the changes are written into one while the program runs. They are plain data in the Spec
all the same: what is deployed can be read from a Plan, and the folder is named by what is in it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi_kubernetes.kustomize.v2 import Directory
from pydantic import Field

from eksml.catalog import kustomizations
from eksml.component import Component
from eksml.errors import Problem
from eksml.image_registry import image_of
from eksml.spec import OverlayAddress, Spec


class KustomizationSpec(Spec):
    """An overlay in git, and what is changed in it."""

    overlay: OverlayAddress
    """Its address as kustomize reads it, at a tag or commit."""
    images: dict[str, str] = Field(default_factory=dict)
    """By the name of an image as the overlay writes it: the image that takes its place, with a tag."""
    patches: tuple[dict[str, Any], ...] = ()
    """Strategic merge patches: each names an object by apiVersion, kind and metadata; `$patch: delete` takes it out."""

    def rules(self) -> Iterator[Problem]:
        """Each patch names an object; of an overlay in the catalog, one that it has."""
        known = next((each for each in kustomizations().values() if each.address == self.overlay), None)
        objects = {(each.api_version, each.kind, each.name, each.namespace) for each in known.objects} if known else ()
        for index, patch in enumerate(self.patches):
            target = _target(patch)
            if not all(target[:3]):
                yield Problem(("patches", index), "names no object: needs apiVersion, kind and metadata.name")
            elif known and target not in objects:
                yield Problem(("patches", index), f"{' '.join(filter(None, target))} is not in {self.overlay}")

    @classmethod
    def of_catalog(cls, name: str, *patches: Mapping[str, Any], image_registry: str | None = None) -> KustomizationSpec:
        """An overlay of the catalog with its pinned images, from the image registry if there is one."""
        fact = kustomizations()[name]
        replaced = {each.image_in_overlay: image_of(each.image, image_registry) for each in fact.workloads}
        return cls(overlay=fact.address, images=replaced, patches=tuple(dict(patch) for patch in patches))


class Kustomization(Component):
    """All objects of an overlay, as its patches leave them. The deploying machine needs git, and a way to the overlay.

    Arguments:
        spec: the overlay, and what is changed in it.
    """

    def __init__(self, name: str, spec: KustomizationSpec, *, opts: pulumi.ResourceOptions | None = None):
        super().__init__("eksml:kustomization:Kustomization", name, spec, opts)
        Directory(name, directory=str(_written(_kustomization(spec))), opts=self.child())
        self.register_outputs({})


def _target(patch: Mapping[str, Any]) -> tuple[str | None, ...]:
    metadata = patch.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    return patch.get("apiVersion"), patch.get("kind"), metadata.get("name"), metadata.get("namespace")


def _kustomization(spec: KustomizationSpec) -> dict[str, Any]:
    # https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [spec.overlay],
        "images": [_replacement(name, image) for name, image in spec.images.items()],
        "patches": [{"patch": yaml.safe_dump(patch, sort_keys=False)} for patch in spec.patches],
    }


def _replacement(name: str, image: str) -> dict[str, str]:
    address, _, tag = image.rpartition(":")
    return {"name": name, "newName": address, "newTag": tag}


def _written(kustomization: Mapping[str, Any]) -> Path:
    """A folder with the kustomization in it, the same one for the same content."""
    text = yaml.safe_dump(kustomization, sort_keys=False)
    user = os.getuid() if hasattr(os, "getuid") else "user"
    folder = Path(tempfile.gettempdir()) / f"eksml-kustomization-{user}-{sha256(text.encode()).hexdigest()[:16]}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        # Who owns the folder decides what is deployed.
        raise PermissionError(f"{folder} belongs to somebody else: remove it, or set TMPDIR to a folder of your own")
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as unfinished:
        unfinished.write(text)
    # Whoever reads it at this moment reads the whole of it.
    Path(unfinished.name).replace(folder / "kustomization.yaml")
    return folder
