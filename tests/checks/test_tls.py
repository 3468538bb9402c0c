"""What a load balancer can do over HTTPS only: found where it is planted, and nowhere else."""

from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from checks.faults import Fault, Planted, add, changed, each_of, expect_found
from eksml.checks import run_checks
from eksml.network.exposure import Backend, ExposureSpec, exposure_objects
from eksml.network.team_gateway import TeamGateway, TeamGatewaySpec
from eksml.plan import Plan, Resource
from eksml.spec import parse
from network.test_team_gateway import LOGIN, TLS, TOKEN
from programs import recorded

GATEWAY = "kubernetes:gateway.networking.k8s.io/v1:Gateway"
CONFIGURATION = "kubernetes:gateway.k8s.aws/v1:LoadBalancerConfiguration"
INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"


def exposed(**settings: Any) -> Plan:
    """An entry with a server behind it, by HTTP and gRPC."""

    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        spec = parse(TeamGatewaySpec, settings)
        TeamGateway("lab", spec, team="vision", opts=pulumi.ResourceOptions(providers=[provider]))
        exposure = ExposureSpec(hostname="a.example.com", grpc_hostname="b.example.com")
        made = exposure_objects(
            "llama",
            "vision",
            exposure,
            Backend("vision", "llama", 8000),
            health_path="/health",
            drain_seconds=30,
            grpc_port=8001,
        )
        for each in made:
            pulumi.CustomResource(
                f"kubernetes:{each.api_version}:{each.kind}",
                each.kind,
                {
                    "apiVersion": each.api_version,
                    "kind": each.kind,
                    "metadata": {"name": each.name, "namespace": "vision"},
                    **each.body,
                },
                pulumi.ResourceOptions(provider=provider),
            )

    return recorded(program)


def found(plan: Plan, check: str = "https-feature-needs-tls") -> list[str]:
    return [f"{each.resource}: {each.text}" for each in run_checks(plan, [check]).findings]


def with_spec(plan: Plan, kind: str, change: Callable[[dict[str, Any]], None]) -> Plan:
    """A Plan with each spec of a kind changed."""

    def fault(resources: dict[str, Resource]) -> None:
        for each in resources.values():
            if each.type == kind:
                change(each.inputs["spec"])

    return changed(plan, fault)


def to_plain_http(spec: dict[str, Any]) -> None:
    spec["listeners"] = [{**spec["listeners"][0], "protocol": "HTTP", "port": 80}]


@pytest.mark.parametrize("authentication", [None, LOGIN, TOKEN])
def test_an_entry_with_tls_has_what_its_features_need(authentication: Any) -> None:
    assert found(exposed(tls=TLS, authentication=authentication)) == []


def test_authentication_and_grpc_over_plain_http_are_found() -> None:
    planted = with_spec(exposed(tls=TLS, authentication=TOKEN), GATEWAY, to_plain_http)
    assert found(planted) == [
        "GRPCRoute: gRPC and authentication need HTTPS, and its listener entry is plain HTTP: give the Gateway TLS",
        "HTTPRoute: authentication needs HTTPS, and its listener entry is plain HTTP: give the Gateway TLS",
    ]


def test_a_route_that_names_no_listener_is_on_all_of_them() -> None:
    def anywhere(spec: dict[str, Any]) -> None:
        del spec["parentRefs"][0]["sectionName"]

    planted = with_spec(
        exposed(tls=TLS, authentication=LOGIN), "kubernetes:gateway.networking.k8s.io/v1:GRPCRoute", anywhere
    )
    assert found(planted) == [
        "GRPCRoute: gRPC and authentication need HTTPS, and its listener redirect is plain HTTP: give the Gateway TLS"
    ]


def test_plain_http_without_authentication_is_nobodys_fault() -> None:
    assert [each for each in found(exposed()) if "GRPCRoute" not in each] == []


def test_https_without_a_certificate_is_found_unless_a_name_leads_to_one() -> None:
    def no_certificate(spec: dict[str, Any]) -> None:
        del spec["listenerConfigurations"]

    text = "lab-entry-gateway: its listener entry has no certificate: name one in its LoadBalancerConfiguration"
    assert found(with_spec(exposed(tls=TLS), CONFIGURATION, no_certificate)) == [text]
    assert found(with_spec(exposed(tls=TLS, host="*.example.com"), CONFIGURATION, no_certificate)) == []


def test_a_certificate_on_plain_http_is_found() -> None:
    def on_http(spec: dict[str, Any]) -> None:
        spec["listenerConfigurations"].append({"protocolPort": "HTTP:80", "sslPolicy": "ELBSecurityPolicy-2016-08"})

    text = "lab-entry-loadbalancerconfiguration: HTTP:80 has sslPolicy, which only HTTPS can use"
    assert found(with_spec(exposed(tls=TLS), CONFIGURATION, on_http)) == [text]


@pytest.mark.parametrize(
    ("annotations", "is_fault"),
    [
        ({"auth-type": "oidc"}, True),
        ({"auth-type": "none"}, False),
        ({"backend-protocol-version": "GRPC"}, True),
        ({"ssl-redirect": "443"}, True),
        ({"auth-type": "cognito", "certificate-arn": TLS["arn"]}, False),
        ({"auth-type": "oidc", "listen-ports": '[{"HTTPS": 443}]'}, False),
        ({"auth-type": "oidc", "listen-ports": '[{"HTTP": 80}]'}, True),
    ],
)
def test_of_an_ingress_too(annotations: dict[str, str], is_fault: bool) -> None:
    def program() -> None:
        k8s.networking.v1.Ingress(
            "web",
            metadata={
                "name": "web",
                "annotations": {f"alb.ingress.kubernetes.io/{key}": value for key, value in annotations.items()},
            },
            opts=pulumi.ResourceOptions(provider=k8s.Provider("cluster", kubeconfig="{}")),
        )

    assert bool(found(recorded(program))) is is_fault


def test_an_entry_to_the_internet_is_public_only_where_its_spec_says_so() -> None:
    assert found(exposed(scheme="internetFacing", tls=TLS, authentication=TOKEN), "not-public") == []

    def opened(spec: dict[str, Any]) -> None:
        spec["scheme"] = "internet-facing"

    planted = with_spec(exposed(tls=TLS), CONFIGURATION, opened)
    assert found(planted, "not-public") == [
        "lab-entry-loadbalancerconfiguration: a load balancer that the internet reaches: make its scheme internal"
    ]


FAULTS: list[Planted] = [
    (
        "https-feature-needs-tls",
        add(
            "kubernetes:networking.k8s.io/v1:Ingress",
            "web",
            {"metadata": {"annotations": {"alb.ingress.kubernetes.io/auth-type": "oidc"}}},
        ),
        "web: its annotation auth-type needs HTTPS: give certificate-arn, or HTTPS among listen-ports",
    ),
]


@each_of(FAULTS)
def test_a_planted_fault_is_found(check: str, fault: Fault, text: str) -> None:
    expect_found(check, fault, text)
