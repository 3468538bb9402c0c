"""What the model servers of a platform ask of its other parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic.alias_generators import to_snake

from eksml.errors import Problem, nearest
from eksml.serving.exposure import exposure_problems

if TYPE_CHECKING:
    from eksml.platform import PlatformSpec
    from eksml.serving.server import ServerSpec


def server_problems(spec: PlatformSpec) -> Iterator[Problem]:
    """The problems of all servers."""
    for name, server in spec.servers.items():
        for problem in _problems(spec, server):
            yield problem.below(("servers", name))
    exposures = {name: (server.namespace, server.exposure) for name, server in spec.servers.items()}
    yield from exposure_problems(exposures, {name: team.gateway for name, team in spec.teams.items()})


def _problems(spec: PlatformSpec, server: ServerSpec) -> Iterator[Problem]:
    for setting in server.needs:
        if not _has(spec, setting):
            yield Problem((), f"needs {setting}, which the platform does not have")
    team = spec.teams.get(server.namespace)
    if team is None:
        yield Problem(("namespace",), f"'{server.namespace}' is no team{nearest(server.namespace, spec.teams)}")
    elif server.pool and team.quotas:
        yield from _quota_problems(spec, server, server.pool)


def _quota_problems(spec: PlatformSpec, server: ServerSpec, pool: str) -> Iterator[Problem]:
    """A server and what takes its place during a change fit the team's quota."""
    quota = spec.teams[server.namespace].quotas.get(pool)
    if quota is None:
        yield Problem(("pool",), f"'{pool}' given, but teams.{server.namespace}.quotas has nothing of it")
    elif pool in spec.pools and spec.pools[pool].facts and server.gpus_per_node:
        have = quota.nominal(spec.pools[pool]) + quota.borrow
        if (needed := server.most_pods * server.gpus_per_node) > have:
            text = (
                f"{needed} GPUs needed at most, changes included, but teams.{server.namespace}.quotas.{pool} has {have}"
            )
            yield Problem(("gpusPerNode",), text)


def _has(spec: PlatformSpec, setting: str) -> bool:
    value: Any = spec
    for key in setting.split("."):
        value = getattr(value, to_snake(key), None)
    return value is not None
