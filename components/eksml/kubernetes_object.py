"""A Kubernetes object before anybody makes it."""

from typing import Any, NamedTuple


class KubernetesObject(NamedTuple):
    """One object of a namespace, without what all objects of its owner have in common."""

    api_version: str
    kind: str
    name: str
    body: dict[str, Any]
    """What stands beside apiVersion, kind and metadata, such as `spec`."""


def pulumi_type(api_version: str, kind: str) -> str:
    """What Pulumi calls a kind of Kubernetes."""
    return f"kubernetes:{'core/v1' if api_version == 'v1' else api_version}:{kind}"
