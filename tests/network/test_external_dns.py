"""ExternalDNS, for named hosted zones."""

import json
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from eksml.network.external_dns import ExternalDns, ExternalDnsSpec
from eksml.network.gateway import GatewayControllers, GatewaySpec
from eksml.plan import Plan
from eksml.spec import parse
from programs import needs, one, recorded
from refusals import check_problems, problems

RELEASE = "kubernetes:helm.sh/v3:Release"
ZONE = "Z0123456789ABCDEFGHIJ"


def external_dns(**settings: Any) -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        ExternalDns(
            "lab",
            parse(ExternalDnsSpec, {"hostedZones": [ZONE], **settings}),
            region="us-west-2",
            cluster_name="lab",
            opts=pulumi.ResourceOptions(providers=[provider]),
        )

    return recorded(program)


def values(plan: Plan) -> Any:
    return one(plan, RELEASE).inputs["values"]


def test_it_works_alone_and_comes_after_its_identity() -> None:
    plan = external_dns()
    association = one(plan, "aws:eks/podIdentityAssociation:PodIdentityAssociation")
    assert association.inputs["serviceAccount"] == values(plan)["serviceAccount"]["name"] == "external-dns"
    assert association.urn in needs(plan, one(plan, RELEASE))


def test_it_writes_to_named_zones_and_has_no_right_to_others() -> None:
    plan = external_dns()
    policy = json.loads(one(plan, "aws:iam/rolePolicy:RolePolicy").inputs["policy"])
    assert f"--zone-id-filter={ZONE}" in values(plan)["extraArgs"]
    writes = next(each for each in policy["Statement"] if "route53:ChangeResourceRecordSets" in each["Action"])
    assert writes["Resource"] == [f"arn:aws:route53:::hostedzone/{ZONE}"]


def test_it_knows_its_own_names_by_the_cluster() -> None:
    told = values(external_dns())
    assert (told["registry"], told["txtOwnerId"]) == ("txt", "lab")


def test_it_takes_no_name_away_unless_it_is_told_to() -> None:
    assert values(external_dns())["policy"] == "upsert-only"
    assert values(external_dns(policy="sync"))["policy"] == "sync"


def test_it_looks_at_routes_only_and_not_at_what_teams_make_without_an_entry() -> None:
    assert values(external_dns())["sources"] == ["gateway-httproute", "gateway-grpcroute"]


def test_zones_are_named_each_once() -> None:
    check_problems(problems(ExternalDnsSpec, {"hostedZones": []}), ["hostedZones: empty, needs at least 1"])
    check_problems(
        problems(ExternalDnsSpec, {"hostedZones": [ZONE, ZONE]}), [f"hostedZones[1]: '{ZONE}' is listed twice"]
    )
    check_problems(
        problems(ExternalDnsSpec, {"hostedZones": ["example.com"]}), ["hostedZones[0]: 'example.com' given, must be"]
    )


def test_it_is_an_option_beside_the_load_balancer_controller_and_comes_after_it() -> None:
    def program(spec: GatewaySpec) -> None:
        opts = pulumi.ResourceOptions(providers=[k8s.Provider("cluster", kubeconfig="{}")])
        GatewayControllers("lab", spec, region="us-west-2", cluster_name="lab", vpc_id="vpc-0123456789", opts=opts)

    alone = recorded(lambda: program(GatewaySpec()))
    assert one(alone, RELEASE).inputs["name"] == "aws-load-balancer-controller"
    both = recorded(lambda: program(parse(GatewaySpec, {"externalDns": {"hostedZones": [ZONE]}})))
    dns = one(both, RELEASE, "lab-dns-external-dns")
    assert one(both, RELEASE, "lab-load-balancers-aws-load-balancer-controller").urn in needs(both, dns)
