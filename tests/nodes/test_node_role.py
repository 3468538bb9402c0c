"""The role of nodes."""

import json

from eksml.nodes.node_role import NodeRole, NodeRoleSpec
from eksml.plan import Plan
from programs import one, recorded


def role(*, region: str = "us-west-2", has_vpc_cni_policy: bool = False) -> Plan:
    spec = NodeRoleSpec(region=region, has_vpc_cni_policy=has_vpc_cni_policy)
    return recorded(lambda: NodeRole("lab-node", spec, tags={"team": "vision"}))


def policies(plan: Plan) -> list[str]:
    attachments = plan.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
    return [attachment.inputs["policyArn"] for attachment in attachments]


def test_it_works_alone() -> None:
    (statement,) = json.loads(one(role(), "aws:iam/role:Role").inputs["assumeRolePolicy"])["Statement"]
    assert statement["Principal"] == {"Service": "ec2.amazonaws.com"}


def test_nodes_may_join_pull_images_and_be_reached_through_session_manager_and_nothing_else() -> None:
    assert [arn.rpartition("/")[2] for arn in policies(role())] == [
        "AmazonEC2ContainerRegistryPullOnly",
        "AmazonEKSWorkerNodePolicy",
        "AmazonSSMManagedInstanceCore",
    ]


def test_nodes_get_the_rights_of_vpc_cni_only_where_it_has_no_identity_of_its_own() -> None:
    assert "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy" in policies(role(has_vpc_cni_policy=True))


def test_policies_are_those_of_the_partition() -> None:
    assert all(arn.startswith("arn:aws-cn:iam::") for arn in policies(role(region="cn-north-1")))
