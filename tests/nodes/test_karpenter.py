"""Karpenter: the controller, its rights, and what it hears of."""

import json
from typing import Any

from eksml.nodes.karpenter import Karpenter, KarpenterSpec
from eksml.plan import Plan
from programs import names_of, one, recorded

CLUSTER_ARN = "arn:aws:eks:us-west-2:123456789012:cluster/lab"


def karpenter(**settings: Any) -> Plan:
    spec = KarpenterSpec(region="us-west-2", **settings)
    return recorded(
        lambda: Karpenter("lab-karpenter", spec, cluster_name="lab", cluster_arn=CLUSTER_ARN, tags={"team": "vision"})
    )


def release(plan: Plan, chart: str) -> Any:
    return one(plan, "kubernetes:helm.sh/v3:Release", f"lab-karpenter-{chart}")


def statements(plan: Plan) -> dict[str, Any]:
    policy = json.loads(one(plan, "aws:iam/rolePolicy:RolePolicy").inputs["policy"])
    return {statement["Sid"]: statement for statement in policy["Statement"]}


def test_it_works_alone() -> None:
    values = release(karpenter(), "karpenter").inputs["values"]
    assert values["settings"]["clusterName"] == "lab"
    assert values["settings"]["interruptionQueue"].startswith("lab-karpenter-interruption")


def test_its_objects_are_known_to_the_cluster_before_it_starts_and_its_identity_too() -> None:
    plan = karpenter()
    controller, crds = release(plan, "karpenter"), release(plan, "karpenter-crd")
    association = one(plan, "aws:eks/podIdentityAssociation:PodIdentityAssociation")
    assert {crds.urn, association.urn} <= set(controller.dependencies)
    assert association.inputs["namespace"] == controller.inputs["namespace"] == "kube-system"
    assert association.inputs["serviceAccount"] == controller.inputs["values"]["serviceAccount"]["name"]


def test_its_nodes_can_join_the_cluster() -> None:
    plan = karpenter()
    entry = one(plan, "aws:eks/accessEntry:AccessEntry")
    assert entry.inputs["type"] == "EC2_LINUX"
    role = one(plan, "aws:iam/role:Role", "lab-karpenter-node")
    assert entry.property_dependencies["principalArn"] == (role.urn,)
    assert one(plan, "aws:iam/instanceProfile:InstanceProfile").property_dependencies["role"] == (role.urn,)


def test_it_hears_of_every_interruption_through_an_encrypted_queue() -> None:
    plan = karpenter()
    assert one(plan, "aws:sqs/queue:Queue").inputs["sqsManagedSseEnabled"] is True
    details = {
        detail
        for rule in plan.of_type("aws:cloudwatch/eventRule:EventRule")
        for detail in json.loads(rule.inputs["eventPattern"])["detail-type"]
    }
    assert details == {
        "AWS Health Event",
        "EC2 Spot Instance Interruption Warning",
        "EC2 Instance Rebalance Recommendation",
        "EC2 Instance State-change Notification",
        "EC2 Capacity Reservation Instance Interruption Warning",
    }
    assert names_of(plan, "aws:cloudwatch/eventTarget:EventTarget") == names_of(
        plan, "aws:cloudwatch/eventRule:EventRule"
    )


def test_its_rights_end_at_its_own_cluster() -> None:
    found = statements(karpenter())
    for sid in ("LaunchTagged", "TagWhileLaunching"):
        condition = found[sid]["Condition"]["StringEquals"]
        assert condition["aws:RequestTag/kubernetes.io/cluster/lab"] == "owned"
        assert condition["aws:RequestTag/eks:eks-cluster-name"] == "lab"
    for sid in ("RemoveOwn", "TagOwnInstances", "LaunchWithOwnTemplates"):
        assert found[sid]["Condition"]["StringEquals"] == {"aws:ResourceTag/kubernetes.io/cluster/lab": "owned"}
    assert found["FindCluster"]["Resource"] == CLUSTER_ARN


def test_only_reading_is_allowed_on_everything() -> None:
    for statement in statements(karpenter()).values():
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not any(action.endswith("*") for action in actions), statement["Sid"]
        if statement["Resource"] == "*":
            verbs = {action.partition(":")[2] for action in actions}
            assert all(verb.startswith(("Describe", "Get", "List")) for verb in verbs), statement["Sid"]


def test_it_can_pass_on_the_role_of_its_nodes_only_and_cannot_make_roles_or_profiles() -> None:
    plan = karpenter()
    role = statements(plan)["PassNodeRole"]
    assert role["Resource"].startswith("arn:aws:iam::123456789012:role/lab-karpenter-node")
    assert role["Condition"]["StringEquals"]["iam:PassedToService"] == "ec2.amazonaws.com"
    text = json.dumps(statements(plan))
    assert "CreateInstanceProfile" not in text
    assert "CreateRole" not in text


def test_a_vpc_without_a_way_out_is_told_to_it() -> None:
    assert release(karpenter(is_isolated=True), "karpenter").inputs["values"]["settings"]["isolatedVPC"] is True
    assert release(karpenter(), "karpenter").inputs["values"]["settings"]["isolatedVPC"] is False
