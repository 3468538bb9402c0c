"""A team's entry: where its servers are reached from outside its namespace, and by whom."""

import json
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from eksml import names
from eksml.network.team_gateway import TeamGateway, TeamGatewaySpec
from eksml.plan import Plan
from eksml.spec import parse
from platforms import LOGIN
from programs import names_of, needs, one, recorded
from refusals import check_problems, problems

GATEWAY = "kubernetes:gateway.networking.k8s.io/v1:Gateway"
ROUTE = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"
CONFIGURATION = "kubernetes:gateway.k8s.aws/v1:LoadBalancerConfiguration"
RULES = "kubernetes:gateway.k8s.aws/v1:ListenerRuleConfiguration"
ROLE = "kubernetes:rbac.authorization.k8s.io/v1:Role"
ARN = "arn:aws:acm:us-west-2:123456789012:certificate/0123"
TLS = {"kind": "certificate", "arn": ARN}
TOKEN = {
    "kind": "jwt",
    "issuer": "https://id.example.com",
    "jwksEndpoint": "https://id.example.com/keys",
    "claims": [{"name": "aud", "values": ["models"]}],
}


def gateway(**settings: Any) -> Plan:
    def program() -> None:
        opts = pulumi.ResourceOptions(providers=[k8s.Provider("cluster", kubeconfig="{}")])
        spec = parse(TeamGatewaySpec, settings)
        TeamGateway("lab", spec, team="vision", tags={"eksml:team": "vision"}, opts=opts)

    return recorded(program)


def spec_of(plan: Plan, kind: str) -> Any:
    return one(plan, kind).inputs["spec"]


def attributes(plan: Plan) -> dict[str, str]:
    return {each["key"]: each["value"] for each in spec_of(plan, CONFIGURATION)["loadBalancerAttributes"]}


def test_it_works_alone_and_is_internal_unless_it_is_told_otherwise_in_so_many_words() -> None:
    assert spec_of(gateway(), CONFIGURATION)["scheme"] == "internal"
    public = gateway(scheme="internetFacing", tls=TLS, authentication=TOKEN)
    assert spec_of(public, CONFIGURATION)["scheme"] == "internet-facing"


def test_its_load_balancer_goes_before_what_it_is_configured_by() -> None:
    plan = gateway()
    made = one(plan, GATEWAY)
    assert {one(plan, kind).urn for kind in (CONFIGURATION, RULES)} <= needs(plan, made)
    reference = made.inputs["spec"]["infrastructure"]["parametersRef"]
    assert reference["name"] == one(plan, CONFIGURATION).inputs["metadata"]["name"]


def test_it_takes_routes_of_its_own_namespace_only() -> None:
    for plan in (gateway(), gateway(tls=TLS)):
        for listener in spec_of(plan, GATEWAY)["listeners"]:
            assert listener["allowedRoutes"] == {"namespaces": {"from": "Same"}}


def test_routes_find_it_by_the_same_name_with_tls_and_without() -> None:
    for settings, protocol, port in (({}, "HTTP", 80), ({"tls": TLS}, "HTTPS", 443)):
        made = one(gateway(**settings), GATEWAY).inputs
        listener = made["spec"]["listeners"][0]
        assert made["metadata"]["name"] == listener["name"] == names.ENTRY
        assert (listener["protocol"], listener["port"]) == (protocol, port)


def test_plain_http_is_led_to_https_where_there_is_a_certificate() -> None:
    plan = gateway(tls=TLS)
    (listener,) = spec_of(plan, CONFIGURATION)["listenerConfigurations"]
    assert (listener["protocolPort"], listener["defaultCertificate"]) == ("HTTPS:443", ARN)
    (rule,) = spec_of(plan, ROUTE)["rules"]
    assert rule["filters"][0]["requestRedirect"] == {"scheme": "https", "port": 443, "statusCode": 301}
    assert one(plan, GATEWAY).urn in needs(plan, one(plan, ROUTE))
    assert names_of(gateway(), ROUTE) == []


def test_a_certificate_is_made_for_its_host_and_used_once_it_is_proven() -> None:
    plan = gateway(host="*.vision.example.com", tls={"kind": "hostedZone", "zoneId": "Z0123456789"})
    assert one(plan, "aws:acm/certificate:Certificate").inputs["domainName"] == "*.vision.example.com"
    assert one(plan, "aws:route53/record:Record").inputs["zoneId"] == "Z0123456789"
    proven = one(plan, "aws:acm/certificateValidation:CertificateValidation")
    assert proven.urn in needs(plan, one(plan, CONFIGURATION))
    assert {each["hostname"] for each in spec_of(plan, GATEWAY)["listeners"]} == {"*.vision.example.com"}


def test_whatever_a_route_leads_to_is_known_by_the_addresses_of_its_pods() -> None:
    plan = gateway()
    default = one(plan, "kubernetes:gateway.k8s.aws/v1:TargetGroupConfiguration")
    reference = spec_of(plan, CONFIGURATION)["defaultTargetGroupConfiguration"]
    assert reference == {"name": default.inputs["metadata"]["name"]}
    assert default.inputs["spec"]["defaultConfiguration"]["targetType"] == "ip"
    assert default.urn in needs(plan, one(plan, CONFIGURATION))


def test_sources_can_be_narrowed() -> None:
    assert "sourceRanges" not in spec_of(gateway(), CONFIGURATION)
    assert spec_of(gateway(sourceRanges=["10.1.0.0/16"]), CONFIGURATION)["sourceRanges"] == ["10.1.0.0/16"]


def test_people_log_in_and_the_controller_reads_that_one_secret() -> None:
    plan = gateway(tls=TLS, authentication=LOGIN)
    (action,) = spec_of(plan, RULES)["actions"]
    assert action["type"] == "authenticate-oidc"
    assert action["authenticateOIDCConfig"]["secret"] == {"name": "login"}
    assert action["authenticateOIDCConfig"]["onUnauthenticatedRequest"] == "authenticate"
    (rule,) = one(plan, ROLE, "lab-gateway-secret").inputs["rules"]
    assert (rule["resources"], rule["resourceNames"], rule["verbs"]) == (
        ["secrets"],
        ["login"],
        ["get", "list", "watch"],
    )
    subject = one(plan, "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding", "lab-gateway-secret").inputs["subjects"]
    assert subject[0]["name"] == names.LOAD_BALANCER_CONTROLLER_SERVICE_ACCOUNT


def test_programs_show_a_token_that_is_for_these_servers() -> None:
    (action,) = spec_of(gateway(tls=TLS, authentication=TOKEN), RULES)["actions"]
    assert action == {
        "type": "jwt-validation",
        "jwtValidationConfig": {
            "issuer": "https://id.example.com",
            "jwksEndpoint": "https://id.example.com/keys",
            "additionalClaims": [{"name": "aud", "values": ["models"], "format": "single-string"}],
        },
    }


def test_who_is_let_through_is_not_for_members_to_change() -> None:
    rules = one(gateway(), ROLE).inputs["rules"]
    writable = {kind for rule in rules if "create" in rule["verbs"] for kind in rule["resources"]}
    assert writable == {"httproutes", "grpcroutes", "targetgroupconfigurations"}


def test_answers_may_take_their_time_and_requests_are_recorded_where_asked() -> None:
    assert attributes(gateway())["idle_timeout.timeout_seconds"] == "300"
    assert "access_logs.s3.enabled" not in attributes(gateway())
    logged = attributes(gateway(accessLogs={"bucket": "our-logs", "prefix": "vision"}))
    assert logged["access_logs.s3.bucket"] == "our-logs"
    assert logged["access_logs.s3.prefix"] == "vision"


def test_it_is_on_the_teams_bill() -> None:
    plan = gateway(tls=TLS, authentication=TOKEN)
    for kind in (CONFIGURATION, RULES):
        assert spec_of(plan, kind)["tags"] == {"eksml:team": "vision"}


@pytest.mark.parametrize(
    ("settings", "beginnings"),
    [
        ({"authentication": LOGIN}, ["tls: missing: load balancers authenticate over HTTPS only"]),
        ({"authentication": TOKEN}, ["tls: missing: load balancers authenticate over HTTPS only"]),
        ({"tls": {"kind": "hostedZone", "zoneId": "Z0123456789"}}, ["host: missing: a certificate is made for a host"]),
        (
            {"scheme": "internetFacing"},
            ["authentication: missing: with internetFacing", "tls: missing: what the internet reaches"],
        ),
        (
            {"scheme": "internetFacing", "tls": TLS, "sourceRanges": ["0.0.0.0/0"]},
            ["authentication: missing: with internetFacing"],
        ),
        ({"scheme": "public"}, ["scheme: 'public' given, must be"]),
        ({"sourceRanges": ["10.0.0.0/8", "10.0.0.0/8"]}, ["sourceRanges[1]: '10.0.0.0/8' is listed twice"]),
        ({"tls": TLS, "authentication": {**TOKEN, "claims": []}}, ["authentication.claims: empty, needs at least 1"]),
        (
            {"tls": TLS, "authentication": {**TOKEN, "claims": [{"name": "iss", "values": ["x"]}]}},
            ["authentication.claims[0].name: 'iss' given, which the load balancer judges anyway"],
        ),
        (
            {"tls": TLS, "authentication": {**TOKEN, "jwksEndpoint": "http://id.example.com/keys"}},
            ["authentication.jwksEndpoint: 'http://id.example.com/keys' given, must be an address that begins with"],
        ),
        ({"host": "Models.example.com"}, ["host: 'Models.example.com' given, must be a host name in lower case"]),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], beginnings: list[str]) -> None:
    check_problems(problems(TeamGatewaySpec, settings), beginnings)


def test_the_internet_may_come_in_from_addresses_of_ones_own_without_a_login() -> None:
    plan = gateway(scheme="internetFacing", tls=TLS, sourceRanges=["192.0.2.0/24"])
    assert spec_of(plan, CONFIGURATION)["sourceRanges"] == ["192.0.2.0/24"]


def test_no_secret_is_in_it() -> None:
    assert "clientSecret" not in json.dumps(spec_of(gateway(tls=TLS, authentication=LOGIN), RULES))
