"""How a person reaches a service of the platform."""

from __future__ import annotations

from typing import Any, NamedTuple

import pulumi


class ServiceAccess(NamedTuple):
    """What a person needs to use a service once it runs."""

    title: str
    """What it is, such as MLflow."""
    url: str
    """Where it is: behind an entry, in the cluster, or at the near end of the command."""
    command: str | None
    """What to run first to reach it, such as `kubectl port-forward`; None: nothing."""
    sign_in: str | pulumi.Output[str]
    """Who is let in, and where their password is."""

    def as_export(self) -> dict[str, Any]:
        """The same as plain data."""
        command = {"command": self.command} if self.command else {}
        return {"title": self.title, "url": self.url, **command, "signIn": self.sign_in}


def port_forward(namespace: str, service: str, local_port: int, port: int) -> str:
    """The command by which a Service of the cluster is reached from one's own machine."""
    return f"kubectl port-forward --namespace {namespace} service/{service} {local_port}:{port}"
