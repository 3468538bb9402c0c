"""An AWS identity for pods."""

import json

from eksml.cluster.pod_identity import PodIdentity, PodIdentitySpec
from eksml.plan import Plan
from programs import one, recorded


def identity() -> Plan:
    spec = PodIdentitySpec(
        namespace="ml", service_account="trainer", managed_policies=("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",)
    )
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    return recorded(lambda: PodIdentity("trainer", spec, cluster_name="lab", policy=policy, tags={"team": "vision"}))


def test_it_works_alone() -> None:
    association = one(identity(), "aws:eks/podIdentityAssociation:PodIdentityAssociation").inputs
    assert (association["clusterName"], association["namespace"], association["serviceAccount"]) == (
        "lab",
        "ml",
        "trainer",
    )
    assert association["roleArn"].startswith("arn:aws:iam::")


def test_only_the_pods_of_its_service_account_may_take_the_role() -> None:
    (statement,) = json.loads(one(identity(), "aws:iam/role:Role").inputs["assumeRolePolicy"])["Statement"]
    assert statement["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert statement["Condition"]["StringEquals"] == {
        "aws:RequestTag/kubernetes-namespace": "ml",
        "aws:RequestTag/kubernetes-service-account": "trainer",
    }


def test_no_pod_gets_the_role_before_the_role_has_its_rights() -> None:
    plan = identity()
    association = one(plan, "aws:eks/podIdentityAssociation:PodIdentityAssociation")
    rights = [
        *plan.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment"),
        *plan.of_type("aws:iam/rolePolicy:RolePolicy"),
    ]
    assert len(rights) == 2
    assert {right.urn for right in rights} <= set(association.dependencies)
