"""The Kubernetes objects of a Plan, as YAML that kubectl reads.

A Helm release is one resource here, and so is an overlay of kustomize: Helm and kustomize render their objects on
`pulumi up`, so each is named in a comment.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from eksml.plan.believable import kubernetes_name
from eksml.plan.canonical import KUSTOMIZE_DIRECTORY
from eksml.plan.model import SECRET, Plan, Resource

# The same text, eight times as fast where libyaml is there.
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_RELEASE = "kubernetes:helm.sh/v3:Release"
_BY_HELM = "Helm renders its objects on `pulumi up`."
_FIRST = ("Namespace", "CustomResourceDefinition", "PriorityClass", "StorageClass", "RuntimeClass")


def objects(plan: Plan) -> list[dict[str, Any]]:
    """Every Kubernetes object that the program itself registers: what others need first, then by kind and name."""
    found = [
        _object(resource)
        for resource in plan.resources
        if resource.package == "kubernetes" and resource.type != _RELEASE
    ]
    return sorted((item for item in found if item), key=_order)


def releases(plan: Plan) -> list[Resource]:
    """The Helm releases, by name."""
    return sorted(plan.of_type(_RELEASE), key=lambda resource: resource.name)


def overlays(plan: Plan) -> list[Resource]:
    """The overlays of kustomize, by name."""
    return sorted(plan.of_type(KUSTOMIZE_DIRECTORY), key=lambda resource: resource.name)


def manifests(plan: Plan) -> str:
    """The Kubernetes objects as one multi-document YAML text."""
    comments = [
        f"# Helm release {{name}}: chart {{chart}} {{version}}, namespace {{namespace}}. {_BY_HELM}\n".format(
            **release.inputs
        )
        for release in releases(plan)
    ]
    comments += [_of_overlay(overlay) for overlay in overlays(plan)]
    documents = yaml.dump_all(
        objects(plan), Dumper=_DUMPER, sort_keys=False, allow_unicode=True, explicit_start=True, width=120
    )
    return "".join(comments) + documents


def _of_overlay(overlay: Resource) -> str:
    """What is known of an overlay; of one that no component of ours patches, only its folder."""
    inputs = overlay.inputs
    patched = [f"{patch['kind']} {patch['metadata']['name']}" for patch in inputs.get("patches") or ()]
    patches = f", patched: {', '.join(patched)}" if patched else ""
    address = inputs.get("overlay") or inputs.get("directory")
    return f"# Overlay {overlay.name}: {address}{patches}. Kustomize renders its objects on `pulumi up`.\n"


def _object(resource: Resource) -> dict[str, Any]:
    inputs = resource.inputs
    if "kind" not in inputs or "apiVersion" not in inputs:
        return {}
    metadata = {"name": kubernetes_name(inputs, resource.urn), **(inputs.get("metadata") or {})}
    rest = {key: value for key, value in inputs.items() if key not in ("apiVersion", "kind", "metadata")}
    if rest.get("data") == SECRET:
        # Its keys are secret too, and text is no mapping.
        del rest["data"]
    return {"apiVersion": inputs["apiVersion"], "kind": inputs["kind"], "metadata": metadata, **rest}


def _order(item: Mapping[str, Any]) -> tuple[int, str, str, str]:
    kind, metadata = item["kind"], item["metadata"]
    rank = _FIRST.index(kind) if kind in _FIRST else len(_FIRST)
    return rank, kind, metadata.get("namespace", ""), metadata["name"]
