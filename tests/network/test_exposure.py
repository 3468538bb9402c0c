"""How a model server is reached from outside its namespace."""

from pathlib import Path
from typing import Any

import pytest

from crds import check_admitted
from eksml import names
from eksml.kubernetes_object import KubernetesObject
from eksml.network.exposure import ExposureSpec, exposure_objects, exposure_problems
from eksml.network.team_gateway import TeamGatewaySpec
from eksml.paths import Path as SettingPath
from eksml.serving.autoscaling import HttpAutoscaling, backend
from eksml.spec import parse
from refusals import check_problems, problems

OWN = backend(None, "llama", "vision", 8000)
HOLDER = backend(HttpAutoscaling(max_replicas=2), "llama", "vision", 8000)
ARN = "arn:aws:acm:us-west-2:123456789012:certificate/0123"


def objects(to: Any = OWN, **settings: Any) -> dict[str, KubernetesObject]:
    spec = parse(ExposureSpec, settings)
    made = exposure_objects("llama", "vision", spec, to, health_path="/health", drain_seconds=45, grpc_port=8001)
    return {each.kind: each for each in made}


def rule(route: KubernetesObject) -> dict[str, Any]:
    (only,) = route.body["spec"]["rules"]
    return only


def test_a_server_is_reached_by_its_host_name_through_the_entry_of_its_team() -> None:
    route = objects(hostname="llama.example.com")["HTTPRoute"]
    assert route.body["spec"]["parentRefs"] == [{"name": names.ENTRY, "sectionName": names.ENTRY}]
    assert route.body["spec"]["hostnames"] == ["llama.example.com"]
    assert rule(route)["backendRefs"] == [{"name": "llama", "port": 8000}]


def test_or_by_a_path_that_the_server_does_not_see() -> None:
    route = objects(pathPrefix="/llama")["HTTPRoute"]
    assert "hostnames" not in route.body["spec"]
    assert rule(route)["matches"] == [{"path": {"type": "PathPrefix", "value": "/llama"}}]
    rewrite = rule(route)["filters"][-1]["urlRewrite"]
    assert rewrite == {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}


def test_a_server_that_knows_its_prefix_sees_it() -> None:
    spec = ExposureSpec(path_prefix="/board")
    _, route = exposure_objects("board", "vision", spec, OWN, health_path="/", drain_seconds=30, strips_prefix=False)
    assert [each["type"] for each in rule(route)["filters"]] == ["ExtensionRef"]


def test_every_rule_is_for_those_only_whom_the_entry_lets_through() -> None:
    for route in (objects(hostname="a.example.com")["HTTPRoute"], objects(grpcHostname="b.example.com")["GRPCRoute"]):
        reference = rule(route)["filters"][0]["extensionRef"]
        assert (reference["kind"], reference["name"]) == ("ListenerRuleConfiguration", names.ENTRY)


def test_the_load_balancer_asks_the_engine_and_lets_requests_end() -> None:
    spec = objects(hostname="llama.example.com")["TargetGroupConfiguration"].body["spec"]
    properties = spec["defaultConfiguration"]
    assert spec["targetReference"] == {"name": "llama"}
    assert properties["targetType"] == "ip"
    assert properties["healthCheckConfig"]["healthCheckPath"] == "/health"
    delay = {"key": "deregistration_delay.timeout_seconds", "value": "45"}
    assert delay in properties["targetGroupAttributes"]


def test_grpc_has_a_name_and_a_protocol_of_its_own() -> None:
    made = objects(hostname="llama.example.com", grpcHostname="llama-grpc.example.com")
    assert rule(made["GRPCRoute"])["backendRefs"] == [{"name": "llama", "port": 8001}]
    (grpc,) = made["TargetGroupConfiguration"].body["spec"]["routeConfigurations"]
    assert grpc["routeIdentifier"] == {"kind": "GRPCRoute", "namespace": "vision", "name": "llama"}
    assert grpc["targetGroupProps"]["protocolVersion"] == "GRPC"
    assert "GRPCRoute" not in objects(hostname="llama.example.com")


def test_requests_can_be_held_in_another_namespace_while_the_server_wakes() -> None:
    made = objects(HOLDER, hostname="llama.example.com")
    (target,) = rule(made["HTTPRoute"])["backendRefs"]
    assert (target["namespace"], target["name"]) == (names.KEDA_NAMESPACE, HOLDER.service)
    # Of all that is behind an entry the load balancer knows that pods have addresses; the Service has no other.
    assert "TargetGroupConfiguration" not in made


def test_its_objects_fit_the_real_definitions(shared: Path) -> None:
    made = objects(hostname="llama.example.com", pathPrefix="/v", grpcHostname="llama-grpc.example.com")
    for each in made.values():
        check_admitted({"apiVersion": each.api_version, "kind": each.kind, "metadata": {}, **each.body}, shared)


@pytest.mark.parametrize(
    ("settings", "beginning"),
    [
        ({}, "empty, needs one of them: without hostname or pathPrefix it would take the place"),
        ({"pathPrefix": "llama"}, "pathPrefix: 'llama' given, must be a path that begins with /"),
        ({"pathPrefix": "/"}, "pathPrefix: '/' given, must be a path that begins with /"),
        ({"hostname": "*.example.com"}, "hostname: '*.example.com' given, must be a host name"),
        (
            {"hostname": "a.example.com", "grpcHostname": "a.example.com"},
            "grpcHostname: 'a.example.com' is hostname too",
        ),
    ],
)
def test_a_server_that_is_exposed_is_told_from_others(settings: dict[str, Any], beginning: str) -> None:
    check_problems(problems(ExposureSpec, settings), [beginning])


def found(servers: dict[str, tuple[str, dict[str, Any] | None]], **gateways: dict[str, Any]) -> list[str]:
    specs: dict[SettingPath, tuple[str, ExposureSpec | None]] = {
        ("servers", name): (team, parse(ExposureSpec, given) if given else None)
        for name, (team, given) in servers.items()
    }
    return [str(each) for each in exposure_problems(specs, {k: parse(TeamGatewaySpec, v) for k, v in gateways.items()})]


HOST = {"hostname": "llama.example.com"}


def test_two_servers_with_one_address_are_refused() -> None:
    other = {"hostname": "llama.example.com", "pathPrefix": "/v2"}
    assert found({"llama": ("vision", HOST), "bert": ("vision", other)}, vision={}) == []
    check_problems(
        found({"llama": ("vision", HOST), "bert": ("vision", HOST)}, vision={}),
        ["servers.bert.exposure.hostname: 'llama.example.com' is that of servers.llama too"],
    )
    prefix = {"pathPrefix": "/v1"}
    check_problems(
        found({"llama": ("vision", prefix), "bert": ("vision", prefix)}, vision={}),
        ["servers.bert.exposure.pathPrefix: '/v1' is that of servers.llama too"],
    )
    assert found({"llama": ("vision", prefix), "bert": ("language", prefix)}, vision={}, language={}) == []


def test_a_name_leads_to_one_team() -> None:
    check_problems(
        found({"llama": ("vision", HOST), "bert": ("language", HOST)}, vision={}, language={}),
        ["servers.bert.exposure.hostname: 'llama.example.com' is a name of team vision too"],
    )


def test_a_server_is_exposed_by_its_teams_entry_or_not_at_all() -> None:
    check_problems(found({"llama": ("vision", HOST)}), ["servers.llama.exposure: given, but team vision has no entry"])
    assert found({"llama": ("vision", None)}) == []


@pytest.mark.parametrize(
    ("host", "fits"),
    [
        ("llama.example.com", True),
        ("*.example.com", True),
        ("*.vision.example.com", False),
        ("other.example.com", False),
    ],
)
def test_a_server_has_a_name_that_the_entry_and_its_certificate_answer_to(host: str, fits: bool) -> None:
    assert (found({"llama": ("vision", HOST)}, vision={"host": host}) == []) is fits


def test_grpc_needs_tls() -> None:
    grpc = {"grpcHostname": "grpc.example.com"}
    check_problems(
        found({"llama": ("vision", grpc)}, vision={}),
        ["servers.llama.exposure.grpcHostname: given, but load balancers speak gRPC over HTTPS only"],
    )
    assert found({"llama": ("vision", grpc)}, vision={"tls": {"kind": "certificate", "arn": ARN}}) == []
