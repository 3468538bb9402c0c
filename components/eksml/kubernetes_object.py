"""An object of Kubernetes as plain data, before a component makes it."""

from typing import Any, NamedTuple


class KubernetesObject(NamedTuple):
    """What a component makes of one kind; namespace and labels are the component's own."""

    api_version: str
    kind: str
    name: str
    body: dict[str, Any]
    """Its fields beside the metadata, such as `spec` or `data`."""
