"""One form for resources, whether they were recorded or read from the engine's preview.

The engine shows more than a program registers: default providers, the children of remote components, names that it
makes up, and what providers add to inputs. Those parts are left out, so that both forms of a Plan are equal.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from eksml.plan.model import SECRET, Resource

CLUSTER = "eks:index:Cluster"
KUSTOMIZE_DIRECTORY = "kubernetes:kustomize/v2:Directory"
REMOTE_TYPES = frozenset({CLUSTER, KUSTOMIZE_DIRECTORY})
"""Components that a provider makes: their children are the provider's, and the engine does not show their inputs."""

_AUTONAMED = "pulumi.com/autonamed"
_ADDED_BY_PROVIDERS = ("__defaults", "__internal", "tagsAll")
_SECRET_DATA = ("data", "stringData")


def canonical(resources: Iterable[Resource]) -> list[Resource]:
    """The resources that the program itself registered, each in its canonical form."""
    everything = {resource.urn: resource for resource in resources}
    made_with = {each.parent: each.provider for each in everything.values() if each.provider}
    kept = {urn: resource for urn, resource in everything.items() if not _is_hidden(resource, everything)}
    return [
        replace(
            resource,
            # Of a folder of kustomize the engine does not say it, but of the objects in it.
            provider=_provider(resource, made_with),
            inputs=_inputs(resource, everything),
            dependencies=_dependencies(resource.urn, resource.dependencies, everything, kept),
            property_dependencies={
                key: _dependencies(resource.urn, urns, everything, kept)
                for key, urns in resource.property_dependencies.items()
                if urns
            },
        )
        for resource in kept.values()
    ]


def _provider(resource: Resource, made_with: Mapping[str | None, str]) -> str | None:
    return made_with.get(resource.urn, resource.provider) if resource.type == KUSTOMIZE_DIRECTORY else resource.provider


def is_shown(resource: Resource) -> bool:
    """Whether the inputs of a resource are known; the engine shows none of a remote component."""
    return resource.type not in REMOTE_TYPES or bool(resource.inputs)


def _is_hidden(resource: Resource, everything: Mapping[str, Resource]) -> bool:
    is_default_provider = resource.type.startswith("pulumi:providers:") and resource.name.startswith("default")
    parent = everything.get(resource.parent or "")
    return is_default_provider or (
        parent is not None and (parent.type in REMOTE_TYPES or _is_hidden(parent, everything))
    )


def _dependencies(
    urn: str, dependencies: Iterable[str], everything: Mapping[str, Resource], kept: Mapping[str, Resource]
) -> tuple[str, ...]:
    visible = set()
    for dependency in dependencies:
        current: str | None = dependency
        while current is not None and current not in kept:
            current = everything[current].parent if current in everything else None
        if current is not None and current != urn:
            visible.add(current)
    return tuple(sorted(visible))


def _inputs(resource: Resource, everything: Mapping[str, Resource]) -> dict[str, Any]:
    inputs = {key: value for key, value in resource.inputs.items() if key not in _ADDED_BY_PROVIDERS}
    if resource.type.startswith("pulumi:providers:"):
        inputs.pop("version", None)
    if resource.type == KUSTOMIZE_DIRECTORY:
        return _directory_inputs(inputs, everything.get(resource.parent or ""))
    if resource.package == "kubernetes":
        inputs = _kubernetes_inputs(resource.type, inputs)
    return inputs


def _directory_inputs(inputs: dict[str, Any], parent: Resource | None) -> dict[str, Any]:
    """A folder that a Kustomization wrote is a path of one machine: what is in it stands in that one's Spec."""
    if parent is None or parent.type != "eksml:kustomization:Kustomization":
        return inputs
    return {key: value for key, value in inputs.items() if key != "directory"} | parent.inputs.get("spec", {})


def _kubernetes_inputs(resource_type: str, inputs: dict[str, Any]) -> dict[str, Any]:
    if resource_type == "kubernetes:core/v1:Secret" and any(key in inputs for key in _SECRET_DATA):
        inputs = {key: value for key, value in inputs.items() if key not in _SECRET_DATA} | {"data": SECRET}
    metadata = inputs.get("metadata")
    if not isinstance(metadata, Mapping) or _AUTONAMED not in (metadata.get("annotations") or {}):
        return inputs
    annotations = {key: value for key, value in metadata["annotations"].items() if key != _AUTONAMED}
    metadata = {key: value for key, value in metadata.items() if key not in ("name", "annotations")}
    return inputs | {"metadata": metadata | ({"annotations": annotations} if annotations else {})}
