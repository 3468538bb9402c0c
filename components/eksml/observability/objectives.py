"""What model servers promise, and the series by which alerts tell that they do not keep it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from eksml.catalog import EngineKind, engines, for_pods
from eksml.spec import PositiveCount, Spec

_MILLISECONDS = 1000
# Of the catalog's queries, and those that the alerts of servers look at.
_LOOKBACK, _WINDOWS = "[2m]", ("5m", "30m", "1h", "6h")

Share = Annotated[float, Field(ge=0.95, lt=1)]


class ServerObjective(Spec):
    """What a model server promises over a month. What it may fail is its budget, and alerts tell when that burns."""

    success_rate: Share = 0.99
    """The share of requests without a failure of the server's, from 0.95 to below 1."""
    latency_ms: PositiveCount | None = None
    """What 95 of 100 requests take at the most, in milliseconds, as the engine measures it; null: it is not judged."""
    fast_minutes: Share = 0.99
    """The share of minutes in which they are as fast, from 0.95 to below 1."""


class MeasuredServer(NamedTuple):
    """A model server whose metrics Prometheus reads."""

    namespace: str
    engine: EngineKind


def objective_rules(
    servers: Mapping[str, MeasuredServer], objectives: Mapping[str, ServerObjective]
) -> Iterator[dict[str, Any]]:
    """Recording rules, a minute apart, for each server by name; what its engine does not measure is left out."""
    for name, server in servers.items():
        objective = objectives.get(name, ServerObjective())
        for record, query in _series(name, server, objective):
            yield {"record": record, "expr": query, "labels": {"namespace": server.namespace, "server": name}}


def _series(name: str, server: MeasuredServer, objective: ServerObjective) -> Iterator[tuple[str, str]]:
    measured = engines()[server.engine].analysis
    pods = {"namespace": server.namespace, "eksml_dev_server": name}
    if query := measured.success_rate.query:
        for window in _WINDOWS:
            rate = for_pods(query, **pods).replace(_LOOKBACK, f"[{window}]")
            yield f"eksml:server_errors_{window}", f"1 - ({rate})"
        yield "eksml:server_error_budget", f"vector({1 - objective.success_rate:g})"
    if objective.latency_ms and (query := measured.latency.query):
        # Without a request the latency is not a number, and that is not slower than anything.
        yield "eksml:server_slow", f"({for_pods(query, **pods)}) > bool {objective.latency_ms / _MILLISECONDS:g}"
        yield "eksml:server_slow_budget", f"vector({1 - objective.fast_minutes:g})"
