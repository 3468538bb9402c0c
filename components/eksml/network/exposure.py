"""How a team's server is reached from outside its namespace: routes by the team's entry, to its Service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from eksml import names
from eksml.errors import Problem
from eksml.kubernetes_object import KubernetesObject
from eksml.network.target_group import grpc_target_group, target_group
from eksml.network.team_gateway import TeamGatewaySpec
from eksml.network.team_routes import RULES_KIND
from eksml.paths import Path, path_text
from eksml.spec import HostName, Spec, UrlPath

_WITHOUT_PREFIX = {
    "type": "URLRewrite",
    "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}},
}


class Backend(NamedTuple):
    """The Service that a route to a server points to."""

    namespace: str
    service: str
    port: int


class ExposureSpec(Spec):
    """Where a team's server is reached by the team's entry (`teams.TEAM.gateway`), by host name, by path, or both."""

    hostname: HostName | None = None
    """The host name that it answers to, one that the entry answers to; by default all of those."""
    path_prefix: UrlPath | None = None
    """What its paths begin with at the entry, such as /llama; a model server itself does not see it."""
    grpc_hostname: HostName | None = None
    """Another host name, for its gRPC; the entry needs TLS for it. null: gRPC is for the namespace only."""

    def rules(self) -> Iterator[Problem]:
        """A server that is exposed is told from others."""
        if not (self.hostname or self.path_prefix or self.grpc_hostname):
            reason = "without hostname or pathPrefix it would take the place of every other server"
            yield Problem((), f"empty, needs one of them: {reason}; for the namespace only, leave exposure out")
        if self.grpc_hostname and self.grpc_hostname == self.hostname:
            yield Problem(("grpcHostname",), f"'{self.hostname}' is hostname too: HTTP and gRPC need a name each")

    @property
    def address(self) -> tuple[str, str]:
        """Host name and path, by which its HTTP is told from that of other servers of the team."""
        return self.hostname or "", self.path_prefix or ""


def exposure_objects(
    server: str,
    namespace: str,
    spec: ExposureSpec,
    backend: Backend,
    *,
    health_path: str,
    drain_seconds: int,
    grpc_port: int | None = None,
    strips_prefix: bool = True,
) -> list[KubernetesObject]:
    """The objects that expose a server, in the order in which they are made.

    The load balancer takes a server in once its health path answers, and out once its pod is about to go. Of a Service
    in another namespace it knows what it knows of all that are behind the entry: that something answers.

    Arguments:
        server: its name, and that of the objects.
        namespace: that of its team.
        spec: where it is reached.
        backend: the Service that its HTTP goes to.
        health_path: what the load balancer asks it.
        drain_seconds: how long requests have to end when it goes.
        grpc_port: the port of its gRPC, where its engine has one.
        strips_prefix: whether the path prefix is for the entry alone, and the server does not see it.
    """
    made: list[KubernetesObject] = []
    is_own = backend.namespace == namespace
    if is_own:
        fields = _target_group(server, namespace, spec, backend, health_path, drain_seconds)
        made.append(
            KubernetesObject(names.GATEWAY_AWS_API_VERSION, "TargetGroupConfiguration", server, {"spec": fields})
        )
    if spec.hostname or spec.path_prefix:
        target = {"name": backend.service, "port": backend.port}
        elsewhere = {} if is_own else {"namespace": backend.namespace}
        filters = [_WITHOUT_PREFIX] if spec.path_prefix and strips_prefix else []
        route = _route(spec.hostname, {**target, **elsewhere}, _http_match(spec.path_prefix), filters)
        made.append(KubernetesObject(names.GATEWAY_API_VERSION, "HTTPRoute", server, {"spec": route}))
    if spec.grpc_hostname and grpc_port:
        route = _route(spec.grpc_hostname, {"name": server, "port": grpc_port}, {}, [])
        made.append(KubernetesObject(names.GATEWAY_API_VERSION, "GRPCRoute", server, {"spec": route}))
    return made


def exposure_problems(
    servers: Mapping[Path, tuple[str, ExposureSpec | None]], gateways: Mapping[str, TeamGatewaySpec | None]
) -> Iterator[Problem]:
    """What does not hold between servers and the entries of their teams, below `exposure` of each.

    Arguments:
        servers: by the path of each server, such as `servers.llama`, its team and its exposure.
        gateways: by team, its entry.
    """
    taken: dict[tuple[str, ...], Path] = {}
    teams: dict[str, str] = {}
    for server, (team, spec) in servers.items():
        if spec is None:
            continue
        path, gateway = (*server, "exposure"), gateways.get(team)
        if gateway is None:
            reason = f"team {team} has no entry: give teams.{team}.gateway"
            yield Problem(path, f"given, but {reason}", ("teams", team, "gateway"))
        else:
            yield from _misfits(path, team, spec, gateway)
        for field, hostname in (("hostname", spec.hostname), ("grpcHostname", spec.grpc_hostname)):
            if hostname and (owner := teams.setdefault(hostname, team)) != team:
                text = f"'{hostname}' is a name of team {owner} too: it leads to one place"
                yield Problem((*path, field), text)
        addresses = {"hostname" if spec.hostname else "pathPrefix": spec.address, "grpcHostname": (spec.grpc_hostname,)}
        for field, address in addresses.items():
            if any(address) and (other := taken.setdefault((team, *map(str, address)), server)) != server:
                text = f"'{''.join(map(str, address))}' is that of {path_text(other)} too: one of them is never reached"
                yield Problem((*path, field), text, other)


def _misfits(path: Path, team: str, spec: ExposureSpec, gateway: TeamGatewaySpec) -> Iterator[Problem]:
    host, of_gateway = gateway.host, ("teams", team, "gateway")
    for field, hostname in (("hostname", spec.hostname), ("grpcHostname", spec.grpc_hostname)):
        if hostname and host and not _covers(host, hostname):
            yield Problem((*path, field), f"'{hostname}' given, but teams.{team}.gateway answers to {host}", of_gateway)
    if spec.grpc_hostname and gateway.tls is None:
        reason = f"load balancers speak gRPC over HTTPS only: give teams.{team}.gateway.tls"
        yield Problem((*path, "grpcHostname"), f"given, but {reason}", of_gateway)


def _covers(host: str, hostname: str) -> bool:
    # In the Gateway API a wildcard stands for one label or several, on a certificate for one.
    return hostname == host or (host.startswith("*.") and hostname.partition(".")[2] == host[2:])


def _route(
    hostname: str | None, target: dict[str, Any], match: dict[str, Any], filters: list[dict[str, Any]]
) -> dict[str, Any]:
    reference = {"group": "gateway.k8s.aws", "kind": RULES_KIND, "name": names.ENTRY}
    return {
        "parentRefs": [{"name": names.ENTRY, "sectionName": names.ENTRY}],
        **({"hostnames": [hostname]} if hostname else {}),
        "rules": [
            {
                **match,
                "filters": [{"type": "ExtensionRef", "extensionRef": reference}, *filters],
                "backendRefs": [target],
            }
        ],
    }


def _http_match(path_prefix: str | None) -> dict[str, Any]:
    return {"matches": [{"path": {"type": "PathPrefix", "value": path_prefix or "/"}}]}


def _target_group(
    server: str, namespace: str, spec: ExposureSpec, backend: Backend, health_path: str, drain_seconds: int
) -> dict[str, Any]:
    for_grpc = {
        "routeIdentifier": {"kind": "GRPCRoute", "namespace": namespace, "name": server},
        "targetGroupProps": grpc_target_group(drain_seconds),
    }
    return {
        "targetReference": {"name": backend.service},
        "defaultConfiguration": target_group(health_path, "200", drain_seconds),
        **({"routeConfigurations": [for_grpc]} if spec.grpc_hostname else {}),
    }
