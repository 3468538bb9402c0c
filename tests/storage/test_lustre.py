"""FSx for Lustre: the driver, its identity and its StorageClass."""

import json
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from eksml import names
from eksml.catalog import eks_addons
from eksml.errors import SpecError
from eksml.plan import Plan
from eksml.spec import parse
from eksml.storage.lustre import Lustre, LustreSpec
from programs import one, recorded
from refusals import check_problems, problems

SUBNETS = {"usw2-az1": "subnet-1", "usw2-az2": "subnet-2"}
RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"


def lustre(*, kubernetes_version: str = "1.36", tags: dict[str, str] | None = None, **settings: Any) -> Plan:
    spec = parse(LustreSpec, {"zone": "usw2-az2", **settings})

    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        made = Lustre(
            "lab-lustre",
            spec,
            region="us-west-2",
            kubernetes_version=kubernetes_version,
            cluster_name="lab",
            cluster_security_group_id="sg-nodes",
            vpc_id="vpc-1",
            private_subnets=SUBNETS,
            tags=tags,
            opts=pulumi.ResourceOptions(providers=[provider]),
        )
        pulumi.export("group", made.security_group_id)
        pulumi.export("class", made.storage_class)

    return recorded(program)


def storage_class(plan: Plan) -> Any:
    return one(plan, "kubernetes:storage.k8s.io/v1:StorageClass").inputs


def statements(plan: Plan) -> dict[str, Any]:
    """The statements of the driver's policy by their Sid."""
    policy = json.loads(one(plan, "aws:iam/rolePolicy:RolePolicy").inputs["policy"])
    return {statement.pop("Sid"): statement for statement in policy["Statement"]}


def test_it_works_alone() -> None:
    plan = lustre()
    addon = one(plan, "aws:eks/addon:Addon").inputs
    assert addon["addonName"] == "aws-fsx-csi-driver"
    assert addon["addonVersion"] == eks_addons()["aws-fsx-csi-driver"].versions["1.36"]
    assert plan.exports["class"] == names.LUSTRE_STORAGE_CLASS == "lustre"


def test_a_claim_gets_a_scratch_file_system_in_the_zone() -> None:
    plan = lustre()
    assert storage_class(plan)["provisioner"] == "fsx.csi.aws.com"
    assert storage_class(plan)["parameters"] == {
        "subnetId": "subnet-2",
        "securityGroupIds": plan.exports["group"],
        "extraTags": "kubernetes.io/cluster/lab=owned",
        "deploymentType": "SCRATCH_2",
        "fileSystemTypeVersion": "2.15",
        "dataCompressionType": "LZ4",
    }


def test_a_claim_can_get_a_persistent_file_system_with_throughput_and_backups() -> None:
    plan = lustre(deploymentType="persistent2", perUnitThroughput=500, backupDays=7, compression="none")
    parameters = storage_class(plan)["parameters"]
    assert parameters["deploymentType"] == "PERSISTENT_2"
    assert parameters["perUnitStorageThroughput"] == "500"
    assert parameters["automaticBackupRetentionDays"] == "7"
    assert parameters["copyTagsToBackups"] == "true"
    assert parameters["dataCompressionType"] == "NONE"


def test_a_persistent_file_system_has_the_least_throughput_and_no_backups_by_default() -> None:
    parameters = storage_class(lustre(deploymentType="persistent2"))["parameters"]
    assert parameters["perUnitStorageThroughput"] == "125"
    assert "automaticBackupRetentionDays" not in parameters


def test_no_gpu_node_waits_while_a_file_system_is_made() -> None:
    assert storage_class(lustre())["volumeBindingMode"] == "Immediate"


def test_it_goes_with_its_claim_and_can_grow() -> None:
    made = storage_class(lustre())
    assert (made["reclaimPolicy"], made["allowVolumeExpansion"]) == ("Delete", True)
    assert made["mountOptions"] == ["flock"]


def test_file_servers_and_nodes_reach_each_other_on_the_ports_of_lustre_only() -> None:
    plan = lustre()
    group = one(plan, "aws:ec2/securityGroup:SecurityGroup").inputs
    assert group["ingress"] == group["egress"]
    assert group["ingress"] == [
        {"protocol": "tcp", "fromPort": first, "toPort": last, "self": True, "securityGroups": ["sg-nodes"]}
        for first, last in ((988, 988), (1018, 1023))
    ]
    openings = [rule.inputs for rule in plan.of_type(RULE)]
    assert {(rule["fromPort"], rule["toPort"]) for rule in openings} == {(988, 988), (1018, 1023)}
    assert {rule["securityGroupId"] for rule in openings} == {"sg-nodes"}
    assert {rule["referencedSecurityGroupId"] for rule in openings} == {plan.exports["group"]}


def test_the_driver_makes_and_removes_only_file_systems_of_its_own_cluster() -> None:
    file_systems = "arn:aws:fsx:us-west-2:*:file-system/*"
    found = statements(lustre())
    assert found["MakeOwn"] == {
        "Effect": "Allow",
        "Action": ["fsx:CreateFileSystem", "fsx:TagResource"],
        "Resource": file_systems,
        "Condition": {"StringEquals": {"aws:RequestTag/kubernetes.io/cluster/lab": "owned"}},
    }
    assert found["ChangeOwn"] == {
        "Effect": "Allow",
        "Action": ["fsx:DeleteFileSystem", "fsx:UpdateFileSystem"],
        "Resource": file_systems,
        "Condition": {"StringEquals": {"aws:ResourceTag/kubernetes.io/cluster/lab": "owned"}},
    }
    assert set(found) == {"MakeOwn", "ChangeOwn", "ReadRegion", "MakeServiceLinkedRole"}


def test_where_the_driver_reads_without_a_resource_it_only_reads() -> None:
    found = statements(lustre())["ReadRegion"]
    assert found["Resource"] == "*"
    assert all(action.partition(":")[2].startswith(("Describe", "Get")) for action in found["Action"])
    assert found["Condition"] == {"StringEquals": {"aws:RequestedRegion": "us-west-2"}}


def test_the_driver_can_make_no_role_but_the_one_that_fsx_needs() -> None:
    assert statements(lustre())["MakeServiceLinkedRole"] == {
        "Effect": "Allow",
        "Action": "iam:CreateServiceLinkedRole",
        "Resource": "arn:aws:iam::*:role/aws-service-role/fsx.amazonaws.com/AWSServiceRoleForAmazonFSx",
        "Condition": {"StringEquals": {"iam:AWSServiceName": "fsx.amazonaws.com"}},
    }


def test_the_identity_is_the_controllers_and_has_no_policy_of_aws() -> None:
    plan = lustre()
    association = one(plan, "aws:eks/podIdentityAssociation:PodIdentityAssociation")
    assert association.inputs["serviceAccount"] == "fsx-csi-controller-sa"
    assert association.urn in one(plan, "aws:eks/addon:Addon").dependencies
    assert plan.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment") == []


def test_the_driver_runs_on_gpu_nodes_too() -> None:
    configuration = json.loads(one(lustre(), "aws:eks/addon:Addon").inputs["configurationValues"])
    assert configuration == {"node": {"tolerations": [names.gpu_toleration()]}}


def test_file_systems_carry_the_tags_that_the_driver_can_read() -> None:
    tags = storage_class(lustre(tags={"team": "vision", "cost": "a=b", "x=y": "z"}))["parameters"]["extraTags"]
    assert tags == "kubernetes.io/cluster/lab=owned,team=vision"


def test_claims_are_served_while_driver_and_openings_are_there() -> None:
    plan = lustre()
    needs = set(one(plan, "kubernetes:storage.k8s.io/v1:StorageClass").dependencies)
    assert one(plan, "aws:eks/addon:Addon").urn in needs
    assert one(plan, "aws:ec2/securityGroup:SecurityGroup").urn in needs
    assert {rule.urn for rule in plan.of_type(RULE)} <= needs


def test_a_zone_that_the_network_does_not_have_is_refused() -> None:
    with pytest.raises(SpecError) as error:
        lustre(zone="usw2-az4")
    assert str(error.value) == "zone: 'usw2-az4' is not a zone of the network: usw2-az1, usw2-az2"


def test_a_kubernetes_version_without_a_known_driver_is_refused() -> None:
    with pytest.raises(SpecError, match=r"kubernetesVersion: '1\.34' given, the catalog has aws-fsx-csi-driver for 1"):
        lustre(kubernetes_version="1.34")


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        ({}, ["zone: missing"]),
        ({"zone": "west"}, ["zone: 'west' given, must be a zone id like usw2-az1"]),
        (
            {"zone": "usw2-az1", "deploymentType": "persistent1"},
            ["deploymentType: 'persistent1' given, must be scratch2 or persistent2"],
        ),
        (
            {"zone": "usw2-az1", "perUnitThroughput": 125},
            ["perUnitThroughput: 125 given, but scratch2 always has 200; only persistent2 has a choice"],
        ),
        (
            {"zone": "usw2-az1", "deploymentType": "persistent2", "perUnitThroughput": 200},
            ["perUnitThroughput: 200 given, must be 125, 250, 500 or 1000"],
        ),
        (
            {"zone": "usw2-az1", "backupDays": 7},
            ["backupDays: 7 given, but FSx keeps no backups of scratch2; take persistent2"],
        ),
        (
            {"zone": "usw2-az1", "deploymentType": "persistent2", "backupDays": 91},
            ["backupDays: 91 given, must be at most 90"],
        ),
        ({"zone": "usw2-az1", "compression": "zstd"}, ["compression: 'zstd' given, must be lz4 or none"]),
    ],
)
def test_what_fsx_refuses_is_refused(settings: dict[str, Any], lines: list[str]) -> None:
    check_problems(problems(LustreSpec, settings), lines)
