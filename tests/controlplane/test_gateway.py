"""Entries of teams and routes to servers on a real API server, with the real definitions."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from controlplane import crds
from controlplane.client import Client, RefusedError
from controlplane.scheduling import add_nodes, placements
from controlplane.stacks import member_of, wait_until_refused
from controlplane.test_operators import SYSTEM_NODE, UNTAINTED
from eksml import names
from eksml.checks.workloads import workloads_of
from eksml.kubernetes_object import KubernetesObject
from eksml.network.authentication import OpenIdConnect
from eksml.network.entry import EntryHandles, EntrySpec, PlatformEntry, ServiceRoutesSpec, entry_policy, service_routes
from eksml.network.exposure import ExposureSpec, exposure_objects
from eksml.network.external_dns import ExternalDnsSpec
from eksml.network.gateway import GatewayControllers, GatewaySpec
from eksml.network.team_gateway import TeamGateway, TeamGatewaySpec
from eksml.plan import Plan
from eksml.plan.manifests import objects
from eksml.serving.autoscaling import HttpAutoscaling, backend, interceptor_grant
from eksml.spec import parse
from network.test_team_gateway import LOGIN, TLS, TOKEN
from programs import recorded

pytestmark = pytest.mark.controlplane

TEAM = "vision"
ENTRIES: dict[str, dict[str, Any]] = {
    "plain": {},
    "login": {"host": "*.example.com", "tls": TLS, "authentication": LOGIN, "accessLogs": {"bucket": "our-logs"}},
    "token": {"scheme": "internetFacing", "tls": TLS, "authentication": TOKEN, "sourceRanges": ["192.0.2.0/24"]},
}


@cache
def entry(name: str) -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        opts = pulumi.ResourceOptions(provider=provider)
        namespace = k8s.core.v1.Namespace("namespace", metadata={"name": TEAM}, opts=opts)
        inside = pulumi.ResourceOptions(providers=[provider], depends_on=[namespace])
        TeamGateway("lab", parse(TeamGatewaySpec, ENTRIES[name]), team=TEAM, tags={"team": TEAM}, opts=inside)

    return recorded(program)


@cache
def platform_entry() -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        spec = parse(EntrySpec, {"host": "*.ml.example.com", "tls": TLS, "sourceRanges": ["10.1.0.0/16"]})
        PlatformEntry("lab", spec, tags={"team": TEAM}, opts=pulumi.ResourceOptions(providers=[provider]))

    return recorded(program)


@cache
def controllers() -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        GatewayControllers(
            "lab",
            GatewaySpec(external_dns=ExternalDnsSpec(hosted_zones=("Z0123456789",))),
            region="us-west-2",
            cluster_name="lab",
            vpc_id="vpc-0123456789abcdef0",
            opts=pulumi.ResourceOptions(providers=[provider]),
        )

    return recorded(program)


def routes(autoscaling: HttpAutoscaling | None = None, **settings: Any) -> list[dict[str, Any]]:
    spec, to = parse(ExposureSpec, settings), backend(autoscaling, "llama", TEAM, 8000)
    made = exposure_objects("llama", TEAM, spec, to, health_path="/health", drain_seconds=30, grpc_port=8001)
    return list(whole(made, TEAM))


def whole(made: list[KubernetesObject], namespace: str) -> Iterator[dict[str, Any]]:
    for each in made:
        metadata = {"name": each.name, "namespace": namespace}
        yield {"apiVersion": each.api_version, "kind": each.kind, "metadata": metadata, **each.body}


def build(cluster: Client, name: str, *more: dict[str, Any]) -> None:
    registered = objects(entry(name))
    crds.install(cluster, [*registered, *more])
    for item in registered:
        cluster.create(item)


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_and_the_routes_to_a_server_are_admitted(name: str, cluster: Client) -> None:
    made = routes(hostname="llama.example.com", pathPrefix="/llama", grpcHostname="grpc.example.com")
    build(cluster, name, *made)
    kinds = [cluster.create(item)["kind"] for item in made]
    assert kinds == ["TargetGroupConfiguration", "HTTPRoute", "GRPCRoute"]


def test_a_route_to_a_server_that_sleeps_is_admitted_and_what_lets_it_lead_to_another_namespace(
    cluster: Client,
) -> None:
    (route,) = routes(HttpAutoscaling(max_replicas=2), hostname="llama.example.com")
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": names.KEDA_NAMESPACE}}
    (grant,) = whole([interceptor_grant("llama", TEAM)], names.KEDA_NAMESPACE)
    build(cluster, "token", route, grant)
    assert [cluster.create(item)["kind"] for item in (namespace, grant, route)][1:] == ["ReferenceGrant", "HTTPRoute"]


def test_the_platforms_entry_and_a_service_behind_it_are_admitted(cluster: Client) -> None:
    labels = {names.PLATFORM_NAMESPACE_LABEL: names.PLATFORM_NAMESPACE_VALUE}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mlflow", "labels": labels}}
    backend, handles = (
        ServiceRoutesSpec(namespace="mlflow", service="mlflow", port=5000, health_path="/health"),
        EntryHandles("ml.example.com"),
    )
    made = service_routes("mlflow", backend, handles, authentication=parse(OpenIdConnect, LOGIN))
    made.append(entry_policy("mlflow", {"app": "mlflow"}, 5000, ("10.0.224.0/22",)))
    items: list[dict[str, Any]] = [*objects(platform_entry()), namespace, *whole(made, "mlflow")]
    crds.install(cluster, items)
    admitted = [cluster.create(item)["kind"] for item in items]
    assert {"Gateway", "HTTPRoute", "ListenerRuleConfiguration", "NetworkPolicy"} <= set(admitted)
    (gateway,) = (item for item in items if item["kind"] == "Gateway")
    selector = gateway["spec"]["listeners"][0]["allowedRoutes"]["namespaces"]["selector"]["matchLabels"]
    taken = [
        each for each in cluster.all_of("v1", "Namespace") if selector.items() <= each["metadata"]["labels"].items()
    ]
    assert [each["metadata"]["name"] for each in taken] == ["mlflow"]


def test_of_a_service_behind_a_login_the_controller_reads_that_secret_alone(cluster: Client) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mlflow"}}
    backend, handles = (
        ServiceRoutesSpec(namespace="mlflow", service="mlflow", port=5000, health_path="/health"),
        EntryHandles("ml.example.com"),
    )
    made = service_routes("mlflow", backend, handles, authentication=parse(OpenIdConnect, LOGIN))
    rights = [each for each in whole(made, "mlflow") if each["kind"] in ("Role", "RoleBinding")]
    secrets = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "mlflow"}}
        for name in ("login", "database")
    ]
    for item in (namespace, *rights, *secrets):
        cluster.create(item)
    account = f"system:serviceaccount:{names.SYSTEM_NAMESPACE}:{names.LOAD_BALANCER_CONTROLLER_SERVICE_ACCOUNT}"
    controller = cluster.as_user(account)
    assert controller.get(secrets[0])["metadata"]["name"] == "login"
    with pytest.raises(RefusedError, match="cannot get resource"):
        controller.get(secrets[1])


def test_the_class_of_gateways_is_admitted(cluster: Client) -> None:
    made = objects(controllers())
    crds.install(cluster, made)
    assert [cluster.create(item)["kind"] for item in made] == ["GatewayClass"]


def test_a_member_makes_routes_but_lets_nobody_in_who_is_not_let_through(cluster: Client) -> None:
    (_, route) = routes(hostname="llama.example.com")
    build(cluster, "token", route)
    member = member_of(cluster, TEAM)
    open_to_all = {**route, "spec": {**route["spec"], "rules": [{"backendRefs": [{"name": "llama", "port": 8000}]}]}}
    wait_until_refused(member, open_to_all)
    with pytest.raises(RefusedError, match="has the filter ExtensionRef to the ListenerRuleConfiguration entry"):
        member.create(open_to_all)
    with pytest.raises(RefusedError, match="names the listener of its Gateway, sectionName: entry"):
        member.create({**route, "spec": {**route["spec"], "parentRefs": [{"name": names.ENTRY}]}})
    elsewhere = [{"name": names.ENTRY, "sectionName": "redirect"}]
    with pytest.raises(RefusedError, match="names the listener of its Gateway, sectionName: entry"):
        member.create({**route, "spec": {**route["spec"], "parentRefs": elsewhere}})
    assert member.create(route)["kind"] == "HTTPRoute"


def test_a_member_changes_neither_the_entry_nor_who_is_let_through(cluster: Client) -> None:
    build(cluster, "token")
    member = member_of(cluster, TEAM)
    of_entry = ("Gateway", "LoadBalancerConfiguration", "ListenerRuleConfiguration")
    for item in (each for each in objects(entry("token")) if each["kind"] in of_entry):
        assert member.get(item)["metadata"]["name"] == names.ENTRY
        with pytest.raises(RefusedError, match="cannot delete resource"):
            member.delete(item)
        with pytest.raises(RefusedError, match="cannot create resource"):
            member.create({**item, "metadata": {**item["metadata"], "name": "own"}})


def test_the_controller_reads_the_one_secret_and_no_other(cluster: Client) -> None:
    build(cluster, "login")
    account = f"system:serviceaccount:{names.SYSTEM_NAMESPACE}:{names.LOAD_BALANCER_CONTROLLER_SERVICE_ACCOUNT}"
    secrets = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": TEAM}}
        for name in ("login", "hub-token")
    ]
    for secret in secrets:
        cluster.create(secret)
    controller = cluster.as_user(account)
    assert controller.get(secrets[0])["metadata"]["name"] == "login"
    with pytest.raises(RefusedError, match="cannot get resource"):
        controller.get(secrets[1])


def test_the_controllers_keep_off_gpu_nodes(cluster: Client) -> None:
    pods = [{"name": each.name, "spec": each.pod} for each in workloads_of(controllers())]
    assert sorted(str(pod["name"]) for pod in pods) == ["aws-load-balancer-controller", "external-dns"]
    add_nodes(cluster, [UNTAINTED])
    assert all("didn't match Pod's node affinity" in reason for reason in placements(cluster, pods).values())
    add_nodes(cluster, [SYSTEM_NODE])
    assert set(placements(cluster, pods).values()) == {"system"}
