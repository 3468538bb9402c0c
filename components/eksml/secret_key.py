"""A secret by its name: what is in it is never said."""

from __future__ import annotations

from typing import Annotated, Any

from eksml.spec import ObjectName, Spec, pattern


class SecretKey(Spec):
    """One entry of a Kubernetes Secret in the team's namespace."""

    secret: ObjectName
    """Name of the Secret."""
    key: Annotated[str, pattern(r"^[A-Za-z0-9._-]{1,253}$", "the name of an entry: letters, digits and ._-")]
    """Name of the entry in it."""

    def as_value(self) -> dict[str, Any]:
        """Where a container's environment variable gets its value from."""
        return {"valueFrom": {"secretKeyRef": {"name": self.secret, "key": self.key}}}
