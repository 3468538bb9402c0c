"""Serves a model whose versions take over by blue/green, and beside it its successor on another engine."""

from typing import Annotated

from pydantic import Field

from eksml import PlatformReference, Server, Spec, model_server, workload_spec


class ServersSpec(Spec):
    """Model servers side by side."""

    servers: Annotated[dict[str, Server], Field(min_length=1)]
    """The servers by name: to change one's engine, give its successor a name of its own."""


platform = PlatformReference()
for name, server in workload_spec(ServersSpec).servers.items():
    model_server(name, server, bucket=platform.model_bucket, region=platform.region, opts=platform.opts)
