"""A whole platform: it works alone, carries its tags, and its parts wait for each other no longer than they must."""

import pytest

from eksml.checks import run_checks
from eksml.errors import SpecError
from platforms import BY_KUBECONFIG, SYSTEM, platform, production, release, research
from programs import names_of, needs, one

AUTONAME_LENGTH = len("-0123456")
LONGEST_NAME = {
    "aws:cloudwatch/eventRule:EventRule": 64,
    "aws:eks/nodeGroup:NodeGroup": 63,
    "aws:iam/instanceProfile:InstanceProfile": 128,
    "aws:iam/role:Role": 64,
    "aws:iam/rolePolicy:RolePolicy": 128,
    "aws:sqs/queue:Queue": 80,
    "aws:ec2/launchTemplate:LaunchTemplate": 128,
    "aws:ec2/securityGroup:SecurityGroup": 255,
}


def test_it_works_alone() -> None:
    assert names_of(research(), "eksml:platform:Platform") == ["lab"]
    exported = research().exports["platform"]
    assert exported["clusterName"] == "lab"
    assert exported["kubeconfig"] == "[secret]"
    assert set(exported["pools"]) == {"system", "notebooks", "train", "serve"}


def test_a_platform_needs_no_profile_and_no_gpus() -> None:
    plan = platform({"network": {"kind": "new"}, "cluster": {"kind": "new"}, "pools": SYSTEM})
    assert plan.of_type("kubernetes:helm.sh/v3:Release") == []
    assert names_of(plan, "aws:eks/nodeGroup:NodeGroup") == ["lab-system"]
    assert "eksml:profile" not in one(plan, "aws:ec2/vpc:Vpc").inputs["tags"]


def test_everything_in_aws_carries_the_tags_of_the_platform() -> None:
    plan = production(tags={"cost-center": "42"})
    tags = {"cost-center": "42", "eksml:platform": "lab", "eksml:profile": "production"}
    taggable = [resource for resource in plan.resources if "tags" in resource.inputs]
    assert len(taggable) > 40
    for resource in taggable:
        assert tags.items() <= resource.inputs["tags"].items(), resource.urn
    for node_class in plan.of_type("kubernetes:karpenter.k8s.aws/v1:EC2NodeClass"):
        assert tags.items() <= node_class.inputs["spec"]["tags"].items()


def test_everything_in_kubernetes_goes_through_the_one_provider_of_the_cluster() -> None:
    provider = one(research(), "pulumi:providers:kubernetes").urn
    inside = [resource for resource in research().resources if resource.package == "kubernetes"]
    assert {resource.provider for resource in inside} == {provider}


def test_a_cluster_by_its_kubeconfig_gets_kubernetes_components_only() -> None:
    plan = platform(BY_KUBECONFIG, kubeconfig="their kubeconfig")
    assert [resource.type for resource in plan.resources if resource.package == "aws"] == []
    assert release(plan, "nvidia-device-plugin")
    hard = one(plan, "kubernetes:core/v1:ResourceQuota").inputs["spec"]["hard"]
    assert (hard["requests.cpu"], hard["requests.memory"], hard["requests.nvidia.com/gpu"]) == ("64", "256Gi", "8")
    assert plan.exports["platform"] == {
        "profile": "research",
        "region": "us-west-2",
        "kubeconfig": "[secret]",
        "pools": {},
    }


def test_a_cluster_by_its_kubeconfig_is_not_guessed() -> None:
    with pytest.raises(SpecError, match="kubeconfig: missing: a cluster of kind kubeconfig needs it, as a secret"):
        platform(BY_KUBECONFIG)


def test_independent_things_do_not_wait_for_each_other() -> None:
    plan = research()
    controller, plugin = release(plan, "karpenter").urn, release(plan, "nvidia-device-plugin").urn
    assert controller not in needs(plan, release(plan, "nvidia-device-plugin"))
    assert plugin not in needs(plan, release(plan, "karpenter"))


def test_the_network_goes_last() -> None:
    plan = research()
    vpc = one(plan, "aws:ec2/vpc:Vpc").urn
    beside_the_network = ("aws:ec2/vpc:", "aws:iam", "aws:kms", "aws:cloudwatch/logGroup")
    for resource in plan.resources:
        if resource.package in ("aws", "eks", "kubernetes") and not resource.type.startswith(beside_the_network):
            assert vpc in needs(plan, resource), resource.urn


def test_names_fit_into_aws_and_kubernetes_however_long_the_platforms_and_the_pools_are() -> None:
    name = "a" * 32
    pools = {
        "b" * 20: {"kind": "managed", "accelerator": "nvidia", "instanceTypes": ["g6.xlarge"], "size": 1},
        "c" * 20: {"kind": "karpenter", "accelerator": "nvidia", "instanceTypes": ["g6.xlarge"], "gpuLimit": 1},
    }
    endpoints = {"interfaceEndpoints": ["ecr.api", "elasticloadbalancing"]}
    plan = platform({"profile": "production", "pools": pools, "network": endpoints}, name=name)
    judged = [
        resource for resource in plan.resources if resource.type in LONGEST_NAME and "name" not in resource.inputs
    ]
    assert {resource.type for resource in judged} == set(LONGEST_NAME)
    for resource in judged:
        assert len(resource.name) + AUTONAME_LENGTH <= LONGEST_NAME[resource.type], resource.name
    for resource in plan.resources:
        metadata = resource.inputs.get("metadata", {})
        assert len(metadata.get("name", "")) <= 63
        assert all(len(value) <= 256 for value in resource.inputs.get("tags", {}).values())


def test_a_platform_without_gpus_passes_its_own_checks() -> None:
    nothing = {"accelerators": None, "queueing": None, "training": None, "servers": None}
    pools = {"train": None, "serve": None, "burst": None}
    plan = production(**nothing, pools=pools, teams=dict.fromkeys(("training", "serving")))
    assert run_checks(plan).errors == ()


def test_the_device_plugin_knows_every_way_of_sharing_of_the_pools() -> None:
    config = release(research(), "nvidia-device-plugin").inputs["values"]["config"]
    assert set(config["map"]) == {"exclusive", "time-slicing-4"}


def test_efa_brings_its_device_plugin_and_nothing_else_does() -> None:
    train = {"instanceTypes": ["p4d.24xlarge"], "zones": ["usw2-az1"], "efa": True, "capacityTypes": ["onDemand"]}
    plan = research(pools={"train": train})
    assert release(plan, "aws-efa-k8s-device-plugin")
    assert one(research(), "eksml:accelerators:DevicePlugin")
    assert research().of_type("eksml:accelerators:EfaDevicePlugin") == []
