"""The AWS load balancer controller."""

import json
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from eksml import names
from eksml.network.load_balancer_controller import LoadBalancerController, LoadBalancerControllerSpec
from eksml.plan import Plan
from programs import needs, one, recorded

RELEASE = "kubernetes:helm.sh/v3:Release"
DIRECTORY = "kubernetes:kustomize/v2:Directory"
CLASS = "kubernetes:gateway.networking.k8s.io/v1:GatewayClass"
VPC = "vpc-0123456789abcdef0"
# What AWS lets no policy say more closely.
ANYWHERE = {"ReadRegion", "FirstLoadBalancerOfAccount"}


def controller(image_registry: str | None = None, **settings: Any) -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        LoadBalancerController(
            "lab",
            LoadBalancerControllerSpec(**settings),
            region="us-west-2",
            cluster_name="lab",
            vpc_id=VPC,
            tags={"team": "vision"},
            image_registry=image_registry,
            opts=pulumi.ResourceOptions(providers=[provider]),
        )

    return recorded(program)


def values(plan: Plan) -> Any:
    return one(plan, RELEASE).inputs["values"]


def statements() -> dict[str, Any]:
    policy = json.loads(one(controller(), "aws:iam/rolePolicy:RolePolicy").inputs["policy"])
    return {statement["Sid"]: statement for statement in policy["Statement"]}


def test_it_works_alone_and_comes_after_its_definitions_and_its_identity() -> None:
    plan = controller()
    before = needs(plan, one(plan, RELEASE))
    assert one(plan, "aws:eks/podIdentityAssociation:PodIdentityAssociation").urn in before
    assert {each.urn for each in plan.of_type(DIRECTORY)} <= before
    assert len(plan.of_type(DIRECTORY)) == 2


def test_its_class_of_gateways_is_gone_before_it() -> None:
    plan = controller()
    made = one(plan, CLASS)
    assert made.inputs["spec"] == {"controllerName": "gateway.k8s.aws/alb"}
    assert one(plan, RELEASE).urn in needs(plan, made)


def test_it_is_told_what_pods_cannot_ask_the_metadata_service() -> None:
    told = values(controller())
    assert (told["clusterName"], told["region"], told["vpcId"]) == ("lab", "us-west-2", VPC)


def test_two_of_it_keep_off_gpu_nodes_and_from_each_other() -> None:
    told = values(controller())
    assert told["replicaCount"] == 2
    assert told["podDisruptionBudget"] == {"maxUnavailable": 1}
    assert names.GPU_LABEL in json.dumps(told["affinity"]["nodeAffinity"])
    assert {"requests", "limits"} == set(told["resources"])
    assert values(controller(replicas=1))["podDisruptionBudget"] == {}


def test_its_webhook_keeps_its_certificate_and_stands_in_nobodys_way_but_of_teams() -> None:
    told = values(controller())
    assert told["keepTLSSecret"] is True
    (selector,) = told["serviceMutatorWebhookConfig"]["namespaceSelectors"]
    assert (selector["key"], selector["operator"]) == (names.TEAM_LABEL, "Exists")


def test_it_makes_application_load_balancers_for_gateways_and_tags_them() -> None:
    told = values(controller())
    assert told["controllerConfig"]["featureGates"]["ALBGatewayAPI"] is True
    assert told["defaultTags"] == {"team": "vision"}
    assert told["defaultTargetType"] == "ip"


def test_it_changes_only_what_it_made_for_its_cluster() -> None:
    for sid, statement in statements().items():
        if sid not in ANYWHERE:
            assert "*" not in (statement["Resource"], *statement["Action"]), sid
        if sid in ("ChangeOwn", "ChangeOwnSecurityGroups", "TagOwn", "TagOwnSecurityGroups"):
            assert statement["Condition"]["StringEquals"] == {"aws:ResourceTag/elbv2.k8s.aws/cluster": "lab"}
    assert statements()["Make"]["Condition"]["StringEquals"] == {"aws:RequestTag/elbv2.k8s.aws/cluster": "lab"}
    assert statements()["MakeSecurityGroupsInVpc"]["Resource"].endswith(f":vpc/{VPC}")


def test_it_cannot_say_that_something_is_another_clusters() -> None:
    for sid in ("TagOwn", "TagOwnSecurityGroups"):
        assert statements()[sid]["Condition"]["Null"] == {"aws:RequestTag/elbv2.k8s.aws/cluster": "true"}


def test_it_lets_load_balancers_reach_the_nodes_of_its_cluster_only() -> None:
    condition = statements()["LetLoadBalancersReachPods"]["Condition"]["StringEquals"]
    assert condition == {"aws:ResourceTag/kubernetes.io/cluster/lab": ["owned", "shared"]}


def test_reading_is_for_its_region_and_lacks_nothing_without_which_it_stands_still() -> None:
    read = statements()["ReadRegion"]
    assert read["Condition"] == {"StringEquals": {"aws:RequestedRegion": "us-west-2"}}
    assert {"ec2:GetSecurityGroupsForVpc", "elasticloadbalancing:DescribeListenerAttributes"} <= set(read["Action"])
    assert "elasticloadbalancing:SetRulePriorities" in statements()["ChangeListeners"]["Action"]


def test_its_policy_is_as_short_as_iam_allows() -> None:
    policy = one(controller(), "aws:iam/rolePolicy:RolePolicy").inputs["policy"]
    # Of all inline policies of a role together, spaces not counted.
    assert len("".join(policy.split())) < 10_240


def test_chart_and_image_can_come_from_a_registry_of_ones_own() -> None:
    mirrored = one(controller(image_registry="registry.example.com"), RELEASE).inputs
    assert mirrored["chart"].startswith("oci://registry.example.com/aws.github.io/eks-charts/")
    assert mirrored["values"]["image"]["repository"].startswith("registry.example.com/public.ecr.aws/eks/")
