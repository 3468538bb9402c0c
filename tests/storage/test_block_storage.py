"""Block storage."""

import json

import pulumi
import pulumi_kubernetes as k8s

from eksml.plan import Plan
from eksml.storage.block_storage import BlockStorage, BlockStorageSpec
from programs import one, recorded


def storage() -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        spec = BlockStorageSpec(region="us-west-2", kubernetes_version="1.36")
        opts = pulumi.ResourceOptions(providers=[provider])
        BlockStorage("lab-storage", spec, cluster_name="lab", tags={"team": "vision"}, opts=opts)

    return recorded(program)


def test_it_works_alone() -> None:
    plan = storage()
    assert one(plan, "aws:eks/addon:Addon").inputs["addonName"] == "aws-ebs-csi-driver"
    assert one(plan, "aws:iam/rolePolicyAttachment:RolePolicyAttachment").inputs["policyArn"] == (
        "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"
    )


def test_a_claim_gets_an_encrypted_gp3_volume_in_the_zone_of_its_pod() -> None:
    made = one(storage(), "kubernetes:storage.k8s.io/v1:StorageClass").inputs
    assert made["metadata"]["annotations"] == {"storageclass.kubernetes.io/is-default-class": "true"}
    assert made["parameters"] == {"type": "gp3", "encrypted": "true"}
    assert made["volumeBindingMode"] == "WaitForFirstConsumer"
    assert made["allowVolumeExpansion"] is True


def test_the_driver_outlives_the_class_so_that_destroy_can_delete_volumes() -> None:
    plan = storage()
    driver = one(plan, "aws:eks/addon:Addon")
    assert driver.urn in one(plan, "kubernetes:storage.k8s.io/v1:StorageClass").dependencies


def test_volumes_that_the_driver_makes_carry_the_tags_of_the_platform() -> None:
    configuration = json.loads(one(storage(), "aws:eks/addon:Addon").inputs["configurationValues"])
    assert configuration == {"controller": {"extraVolumeTags": {"team": "vision"}}}
