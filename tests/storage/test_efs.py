"""EFS, its driver and its StorageClass."""

import json
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from eksml import names
from eksml.catalog import eks_addons
from eksml.errors import SpecError
from eksml.plan import Plan
from eksml.plan.tree import detail
from eksml.spec import parse
from eksml.storage.efs import Efs, EfsSpec
from programs import one, recorded
from refusals import check_problems, problems

KEY = "arn:aws:kms:us-west-2:123456789012:key/0123"
SUBNETS = {"usw2-az1": "subnet-1", "usw2-az2": "subnet-2"}


def efs(*, kubernetes_version: str = "1.36", **settings: Any) -> Plan:
    spec = parse(EfsSpec, settings)

    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        made = Efs(
            "lab-efs",
            spec,
            region="us-west-2",
            kubernetes_version=kubernetes_version,
            cluster_name="lab",
            cluster_security_group_id="sg-nodes",
            vpc_id="vpc-1",
            private_subnets=SUBNETS,
            tags={"team": "vision"},
            opts=pulumi.ResourceOptions(providers=[provider]),
        )
        pulumi.export("fileSystem", made.file_system_id)
        pulumi.export("class", made.storage_class)

    return recorded(program)


def file_system(plan: Plan) -> Any:
    return one(plan, "aws:efs/fileSystem:FileSystem").inputs


def storage_class(plan: Plan) -> Any:
    return one(plan, "kubernetes:storage.k8s.io/v1:StorageClass")


def test_it_works_alone() -> None:
    plan = efs()
    assert file_system(plan)["throughputMode"] == "elastic"
    assert file_system(plan)["performanceMode"] == "generalPurpose"
    assert plan.exports["class"] == "efs"


def test_it_is_encrypted_with_the_key_of_efs_or_one_of_its_own() -> None:
    assert file_system(efs())["encrypted"] is True
    assert "kmsKeyId" not in file_system(efs())
    assert file_system(efs(keyArn=KEY))["kmsKeyId"] == KEY


def test_every_zone_of_the_network_reaches_it_without_a_detour() -> None:
    plan = efs()
    group = one(plan, "aws:ec2/securityGroup:SecurityGroup")
    targets = plan.of_type("aws:efs/mountTarget:MountTarget")
    assert {target.inputs["subnetId"] for target in targets} == {"subnet-1", "subnet-2"}
    assert all(group.urn in target.dependencies for target in targets)


def test_only_the_cluster_reaches_it_and_only_by_nfs() -> None:
    group = one(efs(), "aws:ec2/securityGroup:SecurityGroup").inputs
    assert group["vpcId"] == "vpc-1"
    assert group["ingress"] == [{"protocol": "tcp", "fromPort": 2049, "toPort": 2049, "securityGroups": ["sg-nodes"]}]
    assert "egress" not in group, "it answers, and never calls"


def test_nothing_goes_without_tls() -> None:
    allow, deny = json.loads(one(efs(), "aws:efs/fileSystemPolicy:FileSystemPolicy").inputs["policy"])["Statement"]
    assert (deny["Effect"], deny["Action"]) == ("Deny", "*")
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert allow["Condition"] == {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}}
    assert allow["Resource"] == deny["Resource"]
    assert allow["Resource"].startswith("arn:aws:elasticfilesystem:us-west-2:")


def test_the_driver_has_the_identity_that_aws_made_for_it_and_nothing_else() -> None:
    plan = efs()
    assert one(plan, "aws:eks/podIdentityAssociation:PodIdentityAssociation").inputs["serviceAccount"] == (
        "efs-csi-controller-sa"
    )
    assert one(plan, "aws:iam/rolePolicyAttachment:RolePolicyAttachment").inputs["policyArn"] == (
        "arn:aws:iam::aws:policy/service-role/AmazonEFSCSIDriverPolicy"
    )
    assert plan.of_type("aws:iam/rolePolicy:RolePolicy") == []


def test_the_driver_runs_on_gpu_nodes_too() -> None:
    addon = one(efs(), "aws:eks/addon:Addon").inputs
    assert addon["addonName"] == "aws-efs-csi-driver"
    configuration = json.loads(addon["configurationValues"])
    assert names.gpu_toleration() in configuration["node"]["tolerations"]
    assert {"operator": "Exists"} in configuration["node"]["tolerations"], "as the driver's default has it"
    assert {"requests", "limits"} <= set(configuration["controller"]["resources"])


def test_the_configuration_has_only_what_the_catalog_says_that_the_addon_takes() -> None:
    configuration = json.loads(one(efs(), "aws:eks/addon:Addon").inputs["configurationValues"])
    given = {f"{part}.{key}" for part, settings in configuration.items() for key in settings}
    fact = eks_addons()["aws-efs-csi-driver"]
    assert given <= {path for workload in fact.workloads for path in (workload.tolerations, workload.resources) if path}


def test_a_claim_gets_a_directory_of_its_own() -> None:
    plan = efs()
    made = storage_class(plan).inputs
    assert made["metadata"]["name"] == names.EFS_STORAGE_CLASS
    assert made["provisioner"] == "efs.csi.aws.com"
    assert made["parameters"] == {
        "provisioningMode": "efs-ap",
        "fileSystemId": plan.exports["fileSystem"],
        "directoryPerms": "700",
    }
    assert made["volumeBindingMode"] == "Immediate"


def test_claims_are_served_once_the_file_system_can_be_mounted_and_as_long_as_the_driver_is_there() -> None:
    plan = efs()
    needs = set(storage_class(plan).dependencies)
    assert one(plan, "aws:eks/addon:Addon").urn in needs
    assert {target.urn for target in plan.of_type("aws:efs/mountTarget:MountTarget")} <= needs
    assert one(plan, "aws:efs/fileSystemPolicy:FileSystemPolicy").urn in needs


def test_it_is_backed_up_unless_the_spec_says_otherwise() -> None:
    def status(plan: Plan) -> str:
        return one(plan, "aws:efs/backupPolicy:BackupPolicy").inputs["backupPolicy"]["status"]

    assert status(efs()) == "ENABLED"
    assert status(efs(backups=False)) == "DISABLED"


@pytest.mark.parametrize(("days", "after"), [(1, "AFTER_1_DAY"), (30, "AFTER_30_DAYS"), (365, "AFTER_365_DAYS")])
def test_files_that_nobody_reads_can_move_to_cheaper_storage_and_back(days: int, after: str) -> None:
    assert file_system(efs(infrequentAccessAfterDays=days))["lifecyclePolicies"] == [
        {"transitionToIa": after},
        {"transitionToPrimaryStorageClass": "AFTER_1_ACCESS"},
    ]
    assert "lifecyclePolicies" not in file_system(efs())


def test_throughput_can_be_provisioned() -> None:
    plan = efs(throughputMode="provisioned", provisionedMibps=256)
    assert file_system(plan)["throughputMode"] == "provisioned"
    assert file_system(plan)["provisionedThroughputInMibps"] == 256
    assert detail(one(plan, "aws:efs/fileSystem:FileSystem")) == "provisioned throughput, 256 MiB/s"
    assert detail(one(efs(), "aws:efs/fileSystem:FileSystem")) == "elastic throughput"


def test_everything_in_aws_carries_the_tags() -> None:
    plan = efs()
    for kind in ("aws:efs/fileSystem:FileSystem", "aws:ec2/securityGroup:SecurityGroup", "aws:iam/role:Role"):
        assert one(plan, kind).inputs["tags"]["team"] == "vision", kind


def test_a_kubernetes_version_without_a_driver_is_refused() -> None:
    with pytest.raises(SpecError, match="the catalog has aws-efs-csi-driver for"):
        efs(kubernetes_version="1.20")


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        ({"throughputMode": "burst"}, ["throughputMode: 'burst' given, must be elastic, bursting or provisioned"]),
        ({"throughputMode": "provisioned"}, ["provisionedMibps: missing: throughputMode: provisioned needs a rate"]),
        (
            {"provisionedMibps": 128},
            ["provisionedMibps: 128 given, but throughputMode is elastic, only provisioned has a fixed rate"],
        ),
        (
            {"throughputMode": "bursting", "provisionedMibps": 128},
            ["provisionedMibps: 128 given, but throughputMode is bursting"],
        ),
        (
            {"throughputMode": "provisioned", "provisionedMibps": 0},
            ["provisionedMibps: 0 given, must be at least 1"],
        ),
        (
            {"throughputMode": "provisioned", "provisionedMibps": 4000},
            ["provisionedMibps: 4000 given, must be at most 3414"],
        ),
        (
            {"infrequentAccessAfterDays": 45},
            ["infrequentAccessAfterDays: 45 given, must be 1, 7, 14, 30, 60, 90, 180, 270 or 365"],
        ),
        ({"keyArn": "key"}, ["keyArn: 'key' given, must be the ARN of a KMS key"]),
        ({"backups": "on"}, ["backups: 'on' given, must be true or false"]),
        ({"performanceMode": "maxIO"}, ["performanceMode: unknown key"]),
    ],
)
def test_what_efs_refuses_is_refused(settings: dict[str, Any], lines: list[str]) -> None:
    check_problems(problems(EfsSpec, settings), lines)
