"""The nodes of a platform, what comes before them, and what waits for them."""

import pytest

from eksml.profiles import overlaid
from platforms import EXISTING, SYSTEM, addon, platform, release, research
from programs import names_of, needs, one


def test_every_addon_of_a_new_cluster_is_there() -> None:
    installed = {resource.inputs["addonName"] for resource in research().of_type("aws:eks/addon:Addon")}
    assert installed == {
        "aws-ebs-csi-driver",
        "aws-mountpoint-s3-csi-driver",
        "coredns",
        "eks-node-monitoring-agent",
        "eks-pod-identity-agent",
        "metrics-server",
    }, "VPC CNI and kube-proxy come with the cluster itself"


def test_two_controllers_of_karpenter_need_two_nodes() -> None:
    assert release(research(pools={"system": {"size": 1}}), "karpenter").inputs["values"]["replicas"] == 1
    assert release(research(), "karpenter").inputs["values"]["replicas"] == 2


def test_an_existing_cluster_gets_pools_identities_and_components_and_keeps_what_it_has() -> None:
    plan = research(**EXISTING)
    assert names_of(plan, "aws:eks/nodeGroup:NodeGroup") == ["lab-notebooks", "lab-system"]
    assert names_of(plan, "kubernetes:karpenter.sh/v1:NodePool") == ["lab-serve", "lab-train"]
    assert names_of(plan, "aws:eks/addon:Addon") == ["lab-buckets-csi"], "only what a component of ours brings"
    assert plan.of_type("aws:ec2/vpc:Vpc") == plan.of_type("eks:index:Cluster") == []
    policies = [each.inputs["policyArn"] for each in plan.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment")]
    assert sum(arn.endswith("/AmazonEKS_CNI_Policy") for arn in policies) == 2, "its VPC CNI may have no other rights"


def test_an_existing_cluster_gets_the_addons_that_it_lacks() -> None:
    cluster = {**EXISTING["cluster"], "addons": ["aws-ebs-csi-driver", "metrics-server"]}
    plan = research(**{**EXISTING, "cluster": cluster}, storage={"bucketMounts": None}, tracking=None)
    assert {each.inputs["addonName"] for each in plan.of_type("aws:eks/addon:Addon")} == set(cluster["addons"])
    assert plan.of_type("kubernetes:storage.k8s.io/v1:StorageClass")


def test_nodes_come_up_with_a_way_out_their_agents_their_rights_and_an_identity_for_vpc_cni() -> None:
    plan = research()
    rights = plan.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
    wanted = [
        *plan.of_type("aws:ec2/route:Route"),
        *plan.of_type("aws:ec2/routeTableAssociation:RouteTableAssociation"),
        *(attachment for attachment in rights if attachment.name.startswith("lab-node-")),
        addon(plan, "eks-pod-identity-agent"),
        addon(plan, "eks-node-monitoring-agent"),
        one(plan, "aws:eks/podIdentityAssociation:PodIdentityAssociation", "lab-vpc-cni"),
    ]
    for group in plan.of_type("aws:eks/nodeGroup:NodeGroup"):
        assert {resource.urn for resource in wanted} <= needs(plan, group)


@pytest.mark.parametrize("name", ["coredns", "metrics-server", "aws-ebs-csi-driver"])
def test_what_needs_nodes_waits_for_the_system_pool_and_not_for_gpus(name: str) -> None:
    needed = needs(research(), addon(research(), name))
    system, notebooks = (
        one(research(), "aws:eks/nodeGroup:NodeGroup", pool).urn for pool in ("lab-system", "lab-notebooks")
    )
    assert system in needed
    assert notebooks not in needed


def test_karpenter_comes_after_dns_and_its_pools_after_it() -> None:
    plan = research()
    controller = release(plan, "karpenter")
    assert addon(plan, "coredns").urn in needs(plan, controller)
    for kind in ("karpenter.sh/v1:NodePool", "karpenter.k8s.aws/v1:EC2NodeClass"):
        for made in plan.of_type(f"kubernetes:{kind}"):
            assert controller.urn in needs(plan, made), "its nodes would outlive it on destroy"


def test_a_pool_without_gpus_may_have_the_other_architecture() -> None:
    pools = overlaid(SYSTEM, {"system": {"instanceTypes": ["m7g.large"]}})
    plan = platform({"network": {"kind": "new"}, "cluster": {"kind": "new"}, "pools": pools})
    assert one(plan, "aws:eks/nodeGroup:NodeGroup").inputs["amiType"] == "AL2023_ARM_64_STANDARD"
