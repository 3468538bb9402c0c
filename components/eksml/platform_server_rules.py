"""What the model servers of a platform ask of its other parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from math import floor
from typing import TYPE_CHECKING, Any

from pydantic.alias_generators import to_snake

from eksml.errors import Problem, nearest
from eksml.names import GPU_RESOURCE
from eksml.network.exposure import ExposureSpec, exposure_problems
from eksml.nodes.sharing import Mps, TimeSlicing
from eksml.paths import Path
from eksml.serving.model_source import BucketSource
from eksml.tenancy.quotas import CPU, shares_of

if TYPE_CHECKING:
    from eksml.platform_settings import PlatformSpec
    from eksml.serving.server import ServerSpec


def server_problems(spec: PlatformSpec) -> Iterator[Problem]:
    """The problems of all servers."""
    for name, server in spec.servers.items():
        for problem in _problems(spec, server):
            yield problem.below(("servers", name))
    yield from _name_problems(spec)
    yield from _prefix_problems(spec)
    yield from _room_problems(spec)
    exposures: dict[Path, tuple[str, ExposureSpec | None]] = {
        ("servers", name): (server.namespace, server.exposure) for name, server in spec.servers.items()
    }
    for team, board in (spec.tracking.tensor_boards if spec.tracking else {}).items():
        exposures["tracking", "tensorBoards", team] = (team, board.exposure)
    yield from exposure_problems(exposures, {name: team.gateway for name, team in spec.teams.items()})


def _problems(spec: PlatformSpec, server: ServerSpec) -> Iterator[Problem]:
    for setting in server.needs:
        if not _has(spec, setting):
            yield Problem((), f"needs {setting}, which the platform does not have")
    team = spec.teams.get(server.namespace)
    if team is None:
        yield Problem(("namespace",), f"'{server.namespace}' is no team{nearest(server.namespace, spec.teams)}")
    elif server.pool and team.quotas and server.pool not in team.quotas:
        yield Problem(("pool",), f"'{server.pool}' given, but teams.{server.namespace}.quotas has nothing of it")
    if team is not None and server.priority_class and server.priority_class not in team.priority_classes:
        text = f"'{server.priority_class}' given, but teams.{server.namespace}.priorityClasses does not have it"
        yield Problem(("priorityClass",), text)
    yield from _sharing_problems(spec, server)


def _sharing_problems(spec: PlatformSpec, server: ServerSpec) -> Iterator[Problem]:
    """A server on a shared GPU leaves the others their part of its memory, which nothing else holds it to."""
    pool = spec.pools.get(server.pool or "")
    sharing = pool.sharing if pool else None
    if not isinstance(sharing, TimeSlicing | Mps) or not server.gpus_per_node or server.memory_share is None:
        return
    field, share = server.memory_share
    # Down, so that all of them together are no more than one.
    if share > (most := floor(1000 / sharing.replicas) / 1000):
        text = f"{share:g} of a GPU's memory, must be at most {most:g}: pools.{server.pool}.sharing has"
        yield Problem((field,), f"{text} {sharing.replicas} pods on each GPU")


def _name_problems(spec: PlatformSpec) -> Iterator[Problem]:
    """No server has the name of a Service that belongs to another one."""
    for name, server in spec.servers.items():
        for service, reason in server.other_services(name):
            if service in spec.servers and spec.servers[service].namespace == server.namespace:
                yield Problem(("servers", service), f"servers.{name} has a Service of this name, {reason}")


def _prefix_problems(spec: PlatformSpec) -> Iterator[Problem]:
    """A prefix of a bucket is filled with one model."""
    filled: dict[tuple[str | None, str], tuple[str, tuple[str | None, str | None]]] = {}
    for name, server in spec.servers.items():
        source = server.source
        if not isinstance(source, BucketSource) or source.populate is None:
            continue
        model = source.model, source.commit
        other, filled_with = filled.setdefault((source.bucket, source.prefix), (name, model))
        if filled_with != model:
            text = f"'{source.prefix}' given, but servers.{other} fills it with {filled_with[0]} at {filled_with[1]}"
            yield Problem(("servers", name, "source", "prefix"), text)


def _room_problems(spec: PlatformSpec) -> Iterator[Problem]:
    """The servers of a team, and what takes their places during changes, fit its quota of a pool together."""
    together: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, server in spec.servers.items():
        quotas = spec.teams[server.namespace].quotas if server.namespace in spec.teams else {}
        if server.pool in quotas and server.pool in spec.pools and spec.pools[server.pool].facts:
            together[server.namespace, server.pool].append(name)
    for (team, pool), servers in together.items():
        yield from _room_of(spec, team, pool, servers)


def _room_of(spec: PlatformSpec, team: str, pool: str, servers: list[str]) -> Iterator[Problem]:
    resource, field = (GPU_RESOURCE, "gpusPerNode") if spec.pools[pool].has_gpus else (CPU, "cpusPerNode")
    have = sum(shares_of(spec.pools[pool], spec.teams[team].quotas[pool])[resource])
    needed = {name: _needed(spec.servers[name], resource) for name in servers}
    for name, amount in needed.items():
        if amount > have:
            text = f"{_in_words(resource, amount)} needed at most, changes included, but teams.{team}.quotas.{pool} has"
            yield Problem(("servers", name, field), f"{text} {_in_words(resource, have)}")
    total = sum(needed.values())
    if total > have >= max(needed.values()):
        each = ", ".join(f"{name} {_in_words(resource, amount)}" for name, amount in needed.items() if amount)
        text = f"{_in_words(resource, total)} needed for all servers at most, changes included ({each}), but it has"
        yield Problem(("teams", team, "quotas", pool), f"{text} {_in_words(resource, have)}")


def _needed(server: ServerSpec, resource: str) -> int:
    """The most that a server asks for at a time: GPUs, or thousandths of cores."""
    return server.most_pods * (round(server.cpus * 1000) if resource == CPU else server.gpus_per_node)


def _in_words(resource: str, amount: int) -> str:
    return f"{amount / 1000:g} vCPUs" if resource == CPU else f"{amount} GPUs"


def _has(spec: PlatformSpec, setting: str) -> bool:
    value: Any = spec
    for key in setting.split("."):
        value = getattr(value, to_snake(key), None)
    return value is not None
