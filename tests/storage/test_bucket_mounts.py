"""Buckets as volumes: the driver, on every node, without rights of its own."""

import json

import pulumi
import pulumi_kubernetes as k8s

from eksml.catalog import eks_addons
from eksml.plan import Plan
from eksml.storage.bucket_mounts import BucketMounts, BucketMountsSpec
from programs import one, recorded


def mounts() -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        BucketMounts(
            "lab-buckets",
            BucketMountsSpec(),
            kubernetes_version="1.36",
            cluster_name="lab",
            tags={"team": "vision"},
            opts=pulumi.ResourceOptions(providers=[provider]),
        )

    return recorded(program)


def test_it_works_alone() -> None:
    addon = one(mounts(), "aws:eks/addon:Addon").inputs
    assert addon["addonName"] == "aws-mountpoint-s3-csi-driver"
    assert addon["addonVersion"] == eks_addons()["aws-mountpoint-s3-csi-driver"].versions["1.36"]
    assert addon["tags"] == {"team": "vision", "Name": "lab-buckets-csi"}


def test_the_driver_runs_on_every_node() -> None:
    values = json.loads(one(mounts(), "aws:eks/addon:Addon").inputs["configurationValues"])
    assert {"operator": "Exists"} in values["node"]["tolerations"]


def test_the_driver_may_do_nothing_in_aws() -> None:
    assert not mounts().of_type("aws:iam/role:Role")
