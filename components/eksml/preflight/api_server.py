"""Whether this machine will reach the API server; of a cluster that exists, whether it is what the stack file says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from eksml.account import Account
from eksml.preflight.basis import Basis
from eksml.preflight.finding import Answer, Question, error, not_known, ok

_HTTPS = 443
_EVERYWHERE = "0.0.0.0/0"
_LET_IN = "let your own addresses in (cluster.publicAccessCidrs), or run `pulumi up` from inside the VPC"


def questions(basis: Basis) -> Iterator[Question]:
    """Whether the API server is reachable from here."""
    if basis.cluster:
        yield Question("the API server, from here", partial(_of_new_cluster, basis.cluster.inputs, basis))
    if basis.existing_cluster:
        name = basis.existing_cluster["name"]
        yield Question(f"the cluster {name}", partial(_existing_cluster, basis.existing_cluster, basis))
        yield Question("the API server, from here", partial(_of_existing_cluster, name, basis))


def _of_new_cluster(inputs: Mapping[str, Any], basis: Basis, account: Account) -> Iterator[Answer]:
    cluster = _described(str(inputs.get("name")), account)
    if cluster and basis.is_own(cluster.get("tags")) and cluster.get("endpoint"):
        yield _reached(cluster, basis)
        return
    ranges = inputs.get("publicAccessCidrs") or ([_EVERYWHERE] if inputs.get("endpointPublicAccess") else [])
    if not ranges and basis.planned_subnets:
        yield error("reachable from its VPC only, which this stack makes and nobody can be in yet", _LET_IN)
    elif not ranges:
        yield not_known("reachable from its VPC only: whether this machine is in it is not known", _LET_IN)
    elif _EVERYWHERE in ranges:
        yield ok("reachable from everywhere")
    elif not basis.asks_address:
        yield not_known(
            f"reachable from {', '.join(ranges)}: whether this machine is there was not asked",
            "--ask-address asks checkip.amazonaws.com for the address of this machine",
        )
    else:
        yield _is_let_in(basis.machine.address(), ranges)


def _is_let_in(address: str | None, ranges: list[str]) -> Answer:
    try:
        own = ip_address(address or "")
    except ValueError:
        return not_known("checkip.amazonaws.com did not say which address this machine has", "look yourself")
    if any(own in ip_network(each) for each in ranges):
        return ok(f"reachable from {', '.join(ranges)}, and this machine is {own}")
    return error(
        f"reachable from {', '.join(ranges)}, and this machine is {own}",
        f"add {own}/{own.max_prefixlen} to cluster.publicAccessCidrs, or run `pulumi up` from one of them",
    )


def _of_existing_cluster(name: str, basis: Basis, account: Account) -> Iterator[Answer]:
    cluster = _described(name, account)
    if cluster and cluster.get("endpoint"):
        yield _reached(cluster, basis)
    else:
        yield not_known(f"the cluster {name} has no API server")


def _reached(cluster: Mapping[str, Any], basis: Basis) -> Answer:
    parts = urlsplit(cluster["endpoint"])
    host, port = str(parts.hostname), parts.port or _HTTPS
    if basis.machine.reaches(host, port):
        return ok(f"{host} takes connections from this machine")
    return error(f"{host} takes no connections from this machine", _LET_IN)


def _existing_cluster(spec: Mapping[str, Any], basis: Basis, account: Account) -> Iterator[Answer]:
    cluster = _described(spec["name"], account)
    if cluster is None:
        yield error(f"is not in {account.region} of this account", "set cluster.name to one of `aws eks list-clusters`")
        return
    problems = [*_differences(spec, cluster, basis), *_addons_there(spec, account)]
    yield from problems
    if not problems:
        yield ok(f"{cluster['status']}, Kubernetes {cluster['version']}")


def _differences(spec: Mapping[str, Any], cluster: Mapping[str, Any], basis: Basis) -> Iterator[Answer]:
    if cluster["status"] != "ACTIVE":
        yield error(f"is {cluster['status']}", "wait until it is ACTIVE")
    if cluster["version"] != spec["kubernetesVersion"]:
        yield error(
            f"runs Kubernetes {cluster['version']}, and the stack file says {spec['kubernetesVersion']}",
            f'set cluster.kubernetesVersion to "{cluster["version"]}"',
        )
    mode = (cluster.get("accessConfig") or {}).get("authenticationMode", "CONFIG_MAP")
    if mode == "CONFIG_MAP" and basis.whole.of_type("aws:eks/accessEntry:AccessEntry"):
        yield error(
            "takes no access entries, by which nodes and members of teams are let in",
            f"aws eks update-cluster-config --region {basis.region} --name {spec['name']} --access-config "
            "authenticationMode=API_AND_CONFIG_MAP",
        )


def _addons_there(spec: Mapping[str, Any], account: Account) -> Iterator[Answer]:
    wanted = spec.get("addons") or ()
    there = set(account.all("eks", "list_addons", "addons", clusterName=spec["name"])) if wanted else set()
    for name in wanted:
        if name in there:
            yield error(
                f"has the add-on {name} already", "take it out of cluster.addons, unless this stack installed it"
            )


def _described(name: str, account: Account) -> Mapping[str, Any] | None:
    found = account.find("eks", "describe_cluster", "ResourceNotFoundException", name=name)
    return found["cluster"] if found else None
