"""A Kubernetes object before anybody makes it."""

from typing import Any, NamedTuple


class KubernetesObject(NamedTuple):
    """One object of a namespace, without what all objects of its owner have in common."""

    api_version: str
    kind: str
    name: str
    body: dict[str, Any]
    """What stands beside apiVersion, kind and metadata, such as `spec`."""
