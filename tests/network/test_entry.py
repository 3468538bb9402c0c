"""The platform's entry: where people reach its services, and from where."""

from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from eksml import names
from eksml.checks import run_checks
from eksml.kubernetes_object import KubernetesObject
from eksml.network.authentication import OpenIdConnect
from eksml.network.entry import (
    EntryHandles,
    EntrySpec,
    PlatformEntry,
    ServiceRoutesSpec,
    entry_policy,
    entry_problems,
    login_problems,
    service_routes,
)
from eksml.network.existing_vpc import ExistingVpcSpec
from eksml.network.gateway import GatewayControllers, GatewaySpec
from eksml.network.vpc import NewVpcSpec
from eksml.plan import Plan
from eksml.spec import parse
from network.test_team_gateway import ARN, CONFIGURATION, GATEWAY, LOGIN, ROUTE, TLS, attributes, spec_of
from programs import needs, one, recorded
from refusals import check_problems, problems

ENTRY: dict[str, Any] = {"host": "*.ml.example.com", "tls": TLS}
MLFLOW = ServiceRoutesSpec(namespace="mlflow", service="mlflow", port=5000, health_path="/health")
HANDLES = EntryHandles("ml.example.com")
NAMESPACE = "kubernetes:core/v1:Namespace"
NETWORK = NewVpcSpec(zones=("usw2-az1", "usw2-az2"))


def entry(**settings: Any) -> Plan:
    def program() -> None:
        opts = pulumi.ResourceOptions(providers=[k8s.Provider("cluster", kubeconfig="{}")])
        PlatformEntry("lab", parse(EntrySpec, {**ENTRY, **settings}), tags={"eksml:platform": "lab"}, opts=opts)

    return recorded(program)


def controllers(**settings: Any) -> Plan:
    def program() -> None:
        made = GatewayControllers(
            "lab",
            parse(GatewaySpec, settings),
            region="us-west-2",
            cluster_name="lab",
            vpc_id="vpc-0123456789abcdef0",
            opts=pulumi.ResourceOptions(providers=[k8s.Provider("cluster", kubeconfig="{}")]),
        )
        pulumi.export("url", made.entry.url("mlflow") if made.entry else "")

    return recorded(program)


def routes(**settings: Any) -> dict[str, KubernetesObject]:
    return {each.kind: each for each in service_routes("mlflow", MLFLOW, HANDLES, **settings)}


def texts(spec: EntrySpec, **settings: Any) -> list[str]:
    given: dict[str, Any] = {"region": "us-west-2", "network": NETWORK, "team_hosts": {}, **settings}
    return [str(each) for each in entry_problems(spec, **given)]


def test_it_works_alone_and_is_internal_over_https_unless_it_is_told_otherwise() -> None:
    plan = entry()
    assert spec_of(plan, CONFIGURATION)["scheme"] == "internal"
    first, second = spec_of(plan, GATEWAY)["listeners"]
    assert (first["protocol"], first["port"], second["protocol"]) == ("HTTPS", 443, "HTTP")
    assert spec_of(plan, CONFIGURATION)["listenerConfigurations"][0]["defaultCertificate"] == ARN
    assert spec_of(plan, ROUTE)["rules"][0]["filters"][0]["requestRedirect"]["scheme"] == "https"


def test_it_lives_in_a_namespace_of_its_own_and_takes_routes_of_the_platform_only() -> None:
    plan = entry()
    namespace = one(plan, NAMESPACE)
    assert namespace.inputs["metadata"]["name"] == one(plan, GATEWAY).inputs["metadata"]["namespace"] == "entry"
    assert namespace.urn in needs(plan, one(plan, GATEWAY))
    first, second = spec_of(plan, GATEWAY)["listeners"]
    labels = {names.PLATFORM_NAMESPACE_LABEL: names.PLATFORM_NAMESPACE_VALUE}
    assert first["allowedRoutes"] == {"namespaces": {"from": "Selector", "selector": {"matchLabels": labels}}}
    assert second["allowedRoutes"] == {"namespaces": {"from": "Same"}}


def test_no_pod_in_its_namespace_would_reach_those_of_teams() -> None:
    assert names.PLATFORM_NAMESPACE_LABEL not in one(entry(), NAMESPACE).inputs["metadata"]["labels"]


def test_a_connection_of_a_notebook_outlives_an_hour_of_silence() -> None:
    assert attributes(entry())["idle_timeout.timeout_seconds"] == "3600"
    assert attributes(entry(idleTimeoutSeconds=60))["idle_timeout.timeout_seconds"] == "60"


def test_what_it_makes_in_aws_is_on_the_platforms_bill() -> None:
    assert spec_of(entry(), CONFIGURATION)["tags"] == {"eksml:platform": "lab"}


def test_a_certificate_is_made_for_all_services_at_once() -> None:
    plan = entry(tls={"kind": "hostedZone", "zoneId": "Z0123456789"})
    assert one(plan, "aws:acm/certificate:Certificate").inputs["domainName"] == "*.ml.example.com"


def test_it_goes_before_the_controller_and_before_what_writes_names() -> None:
    plan = controllers(externalDns={"hostedZones": ["Z0123456789"]}, entry=ENTRY)
    made = needs(plan, one(plan, GATEWAY))
    releases = {each.urn for each in plan.of_type("kubernetes:helm.sh/v3:Release")}
    assert len(releases) == 2
    assert releases <= made
    assert plan.exports["url"] == "https://mlflow.ml.example.com"


def test_without_one_there_is_none() -> None:
    plan = controllers()
    assert not list(plan.of_type(GATEWAY))
    assert plan.exports["url"] == ""


def test_a_service_has_a_name_of_its_own() -> None:
    spec = routes()["HTTPRoute"].body["spec"]
    assert spec["hostnames"] == ["mlflow.ml.example.com"]
    assert spec["parentRefs"] == [{"name": "entry", "namespace": "entry", "sectionName": "entry"}]
    assert spec["rules"][0]["backendRefs"] == [{"name": "mlflow", "port": 5000}]
    assert "filters" not in spec["rules"][0]


def test_a_service_is_asked_for_its_health_where_it_answers_without_a_login() -> None:
    spec = routes()["TargetGroupConfiguration"].body["spec"]
    assert spec["targetReference"] == {"name": "mlflow"}
    assert spec["defaultConfiguration"]["healthCheckConfig"]["healthCheckPath"] == "/health"


def test_people_log_in_before_they_reach_a_service_that_asks_for_it() -> None:
    made = routes(authentication=parse(OpenIdConnect, LOGIN))
    assert list(made) == ["TargetGroupConfiguration", "Role", "RoleBinding", "ListenerRuleConfiguration", "HTTPRoute"]
    (action,) = made["ListenerRuleConfiguration"].body["spec"]["actions"]
    assert action["authenticateOIDCConfig"]["secret"] == {"name": "login"}
    (rule,) = made["HTTPRoute"].body["spec"]["rules"]
    assert rule["filters"][0]["extensionRef"]["name"] == made["ListenerRuleConfiguration"].name


def test_the_controller_reads_that_secret_and_no_other() -> None:
    made = routes(authentication=parse(OpenIdConnect, LOGIN))
    (rule,) = made["Role"].body["rules"]
    assert (rule["resources"], rule["resourceNames"], rule["verbs"]) == (
        ["secrets"],
        ["login"],
        ["get", "list", "watch"],
    )
    assert made["RoleBinding"].body["subjects"][0]["name"] == names.LOAD_BALANCER_CONTROLLER_SERVICE_ACCOUNT
    assert not {"Role", "RoleBinding", "ListenerRuleConfiguration"} & set(routes())


def test_load_balancers_reach_one_port_of_a_service() -> None:
    spec = entry_policy("mlflow", {"app": "mlflow"}, 5000, ("10.0.224.0/22",)).body["spec"]
    assert spec["podSelector"] == {"matchLabels": {"app": "mlflow"}}
    assert spec["ingress"] == [
        {"from": [{"ipBlock": {"cidr": "10.0.224.0/22"}}], "ports": [{"protocol": "TCP", "port": 5000}]}
    ]


@pytest.mark.parametrize(
    ("settings", "beginnings"),
    [
        ({"host": "ml.example.com"}, ["host: 'ml.example.com' given, must be *.DOMAIN in lower case"]),
        ({"host": None}, ["host: nothing given, must be"]),
        ({"tls": None}, ["tls: nothing given, must be a mapping"]),
        ({"scheme": "internetFacing"}, ["sourceRanges: missing: with internetFacing"]),
        (
            {"scheme": "internetFacing", "sourceRanges": ["0.0.0.0/0"]},
            ["sourceRanges: open to all: with internetFacing"],
        ),
        ({"sourceRanges": ["10.0.0.0/8", "10.0.0.0/8"]}, ["sourceRanges[1]: '10.0.0.0/8' is listed twice"]),
        ({"idleTimeoutSeconds": 4001}, ["idleTimeoutSeconds: 4001 given, must be at most 4000"]),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], beginnings: list[str]) -> None:
    check_problems(problems(EntrySpec, {**ENTRY, **settings}), beginnings)


def test_what_the_stack_file_opened_is_no_finding() -> None:
    public = entry(scheme="internetFacing", sourceRanges=["192.0.2.0/24"])
    assert not run_checks(public, ["not-public", "https-feature-needs-tls"]).findings


def test_its_certificate_is_of_the_same_region() -> None:
    spec = parse(EntrySpec, ENTRY)
    assert texts(spec) == []
    (problem,) = texts(spec, region="eu-central-1")
    assert problem.startswith("gateway.entry.tls.arn: it is in us-west-2, must be in eu-central-1")


@pytest.mark.parametrize(
    ("host", "is_refused"),
    [
        ("*.ml.example.com", True),
        ("*.example.com", True),
        ("mlflow.ml.example.com", True),
        ("*.vision.ml.example.com", False),
        ("models.vision.ml.example.com", False),
        ("*.vision.example.com", False),
    ],
)
def test_no_team_takes_the_name_of_a_service(host: str, is_refused: bool) -> None:
    found = texts(parse(EntrySpec, ENTRY), team_hosts={"vision": host})
    assert [each.partition(":")[0] for each in found] == (["teams.vision.gateway.host"] if is_refused else [])


def test_load_balancers_are_known_by_their_ranges() -> None:
    subnets = {"usw2-az1": "subnet-0123456789abcdef0", "usw2-az2": "subnet-0123456789abcdef1"}
    network = ExistingVpcSpec(vpc_id="vpc-0123456789abcdef0", private_subnets=subnets)
    (problem,) = texts(parse(EntrySpec, ENTRY), network=network)
    assert problem.startswith("network.loadBalancerCidrs: missing")


def test_people_log_in_where_the_load_balancer_reaches_the_provider() -> None:
    path = ("tracking", "mlflow", "authentication")
    public = parse(EntrySpec, {**ENTRY, "scheme": "internetFacing", "sourceRanges": ["192.0.2.0/24"]})
    assert list(login_problems(path, public, NETWORK)) == []
    assert list(login_problems(path, parse(EntrySpec, ENTRY), None)) == []
    (internal,) = login_problems(path, parse(EntrySpec, ENTRY), NETWORK)
    assert str(internal).startswith("tracking.mlflow.authentication: openIdConnect given, but an internal load")
    (without,) = login_problems(path, None, NETWORK)
    assert str(without).endswith("give gateway.entry")
