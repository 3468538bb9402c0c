"""EFS: one shared file system, of which every claim gets a directory that many pods can read and write."""

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
from pydantic import Field

from eksml import names
from eksml.catalog import managed_policy_arn
from eksml.cluster.eks_addon import EFS_CSI, EksAddon, EksAddonSpec
from eksml.component import Component, Tags
from eksml.errors import Problem
from eksml.spec import Flag, KeyArn, Spec

# https://docs.aws.amazon.com/efs/latest/ug/API_LifecyclePolicy.html
InfrequentAccessDays = Literal[1, 7, 14, 30, 60, 90, 180, 270, 365]

_NFS_PORT = 2049
# Above this no region goes: https://docs.aws.amazon.com/efs/latest/ug/API_CreateFileSystem.html
_MOST_MIBPS = 3414


class ThroughputMode(StrEnum):
    """What decides how fast an EFS file system is, and how that is paid for."""

    ELASTIC = "elastic"
    """As fast as needed, paid by the gigabyte read and written: for load that comes and goes."""
    BURSTING = "bursting"
    """In proportion to what is stored, at no further cost: slow while there is little."""
    PROVISIONED = "provisioned"
    """A fixed rate, paid whether it is used or not: for steady load."""


class EfsSpec(Spec):
    """A shared EFS file system and the StorageClass `efs`."""

    throughput_mode: ThroughputMode = ThroughputMode.ELASTIC
    """What decides its throughput: elastic, bursting or provisioned."""
    provisioned_mibps: Annotated[int, Field(strict=True, ge=1, le=_MOST_MIBPS)] | None = None
    """Throughput in MiB/s, from 1 to 3414, in many regions less; only with throughputMode: provisioned."""
    key_arn: KeyArn | None = None
    """ARN of the KMS key that encrypts it; by default the key that AWS manages for EFS. It cannot change later."""
    infrequent_access_after_days: InfrequentAccessDays | None = None
    """Days without access after which a file moves to cheaper storage, until it is read again; none: never."""
    backups: Flag = True
    """Whether AWS Backup keeps a copy of each day for 35 days; those outlive the file system, and cost until then."""

    def rules(self) -> Iterator[Problem]:
        """EFS takes a rate with provisioned throughput, and with no other."""
        is_provisioned = self.throughput_mode is ThroughputMode.PROVISIONED
        if is_provisioned and self.provisioned_mibps is None:
            yield Problem(("provisionedMibps",), "missing: throughputMode: provisioned needs a rate in MiB/s")
        if not is_provisioned and self.provisioned_mibps is not None:
            reason = f"throughputMode is {self.throughput_mode}, only provisioned has a fixed rate"
            yield Problem(("provisionedMibps",), f"{self.provisioned_mibps} given, but {reason}")


class Efs(Component):
    """An encrypted EFS file system reachable from the cluster's nodes in every zone, its CSI driver and StorageClass.

    A claim of class `efs` gets a directory with a user of its own (an access point), which pods on all nodes can mount
    ReadWriteMany. When the claim is deleted, the access point goes and the directory stays. Destroying this component
    deletes the file system with everything in it.

    It needs a node that is not a GPU node, and the Pod Identity agent.

    Arguments:
        spec: the file system.
        region: AWS region, by which ARNs of AWS's policies are named.
        kubernetes_version: Kubernetes version of the cluster, by which the catalog pins the driver's version.
        cluster_name: name of the EKS cluster.
        cluster_security_group_id: id of the security group that the cluster's nodes have.
        vpc_id: id of the VPC.
        private_subnets: private subnet ids by zone; each gets a mount target.
        tags: tags for every AWS resource.

    Attributes:
        file_system_id: id of the file system.
        storage_class: name of the StorageClass.
    """

    def __init__(
        self,
        name: str,
        spec: EfsSpec,
        *,
        region: str,
        kubernetes_version: str,
        cluster_name: pulumi.Input[str],
        cluster_security_group_id: pulumi.Input[str],
        vpc_id: pulumi.Input[str],
        private_subnets: Mapping[str, pulumi.Input[str]],
        tags: Tags | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:storage:Efs", name, spec, opts, tags)
        file_system = self._file_system(spec)
        self.file_system_id: pulumi.Output[str] = file_system.id
        self.storage_class = names.EFS_STORAGE_CLASS
        needs = [
            *self._mount_targets(vpc_id, cluster_security_group_id, private_subnets),
            self._tls_only(file_system.arn),
            self._driver(region, kubernetes_version, cluster_name),
        ]
        k8s.storage.v1.StorageClass(
            f"{name}-efs",
            metadata={"name": self.storage_class},
            provisioner="efs.csi.aws.com",
            parameters={"provisioningMode": "efs-ap", "fileSystemId": self.file_system_id, "directoryPerms": "700"},
            # A directory is in no zone, so there is no pod to wait for.
            volume_binding_mode="Immediate",
            reclaim_policy="Delete",
            opts=self.child(depends_on=needs),
        )
        self.register_outputs({"fileSystemId": self.file_system_id, "storageClass": self.storage_class})

    def _file_system(self, spec: EfsSpec) -> aws.efs.FileSystem:
        name = self.resource_name
        file_system = aws.efs.FileSystem(
            name,
            encrypted=True,
            kms_key_id=spec.key_arn,
            # The other mode, maxIO, is slower for each operation, and excludes elastic throughput.
            performance_mode="generalPurpose",
            throughput_mode=spec.throughput_mode.value,
            provisioned_throughput_in_mibps=spec.provisioned_mibps,
            lifecycle_policies=_lifecycle(spec.infrequent_access_after_days),
            tags=self.tagged(name),
            opts=self.child(),
        )
        aws.efs.BackupPolicy(
            name,
            file_system_id=file_system.id,
            backup_policy={"status": "ENABLED" if spec.backups else "DISABLED"},
            opts=self.child(),
        )
        return file_system

    def _mount_targets(
        self,
        vpc_id: pulumi.Input[str],
        cluster_security_group_id: pulumi.Input[str],
        private_subnets: Mapping[str, pulumi.Input[str]],
    ) -> list[pulumi.Resource]:
        name = self.resource_name
        nfs: Any = {"protocol": "tcp", "from_port": _NFS_PORT, "to_port": _NFS_PORT}
        group = aws.ec2.SecurityGroup(
            name,
            vpc_id=vpc_id,
            description="NFS from the cluster to EFS",
            ingress=[{**nfs, "security_groups": [cluster_security_group_id]}],
            tags=self.tagged(name),
            opts=self.child(),
        )
        return [
            aws.efs.MountTarget(
                f"{name}-{zone}",
                file_system_id=self.file_system_id,
                subnet_id=subnet,
                security_groups=[group.id],
                opts=self.child(),
            )
            for zone, subnet in private_subnets.items()
        ]

    def _tls_only(self, arn: pulumi.Output[str]) -> aws.efs.FileSystemPolicy:
        return aws.efs.FileSystemPolicy(
            self.resource_name,
            file_system_id=self.file_system_id,
            policy=arn.apply(lambda file_system_arn: json.dumps(_file_system_policy(file_system_arn))),
            opts=self.child(),
        )

    def _driver(self, region: str, kubernetes_version: str, cluster_name: pulumi.Input[str]) -> EksAddon:
        return EksAddon(
            f"{self.resource_name}-csi",
            EksAddonSpec(
                addon=EFS_CSI,
                kubernetes_version=kubernetes_version,
                configuration=_driver_configuration(),
                managed_policies=(managed_policy_arn(region, "service-role/AmazonEFSCSIDriverPolicy"),),
            ),
            cluster_name=cluster_name,
            tags=self.own_tags,
            opts=self.child(),
        )


def _lifecycle(days: int | None) -> list[Any] | None:
    if days is None:
        return None
    after = f"AFTER_{days}_DAY" + ("S" if days > 1 else "")
    # Back with the first read: a data set that is in use again would otherwise be charged for with every epoch.
    return [{"transition_to_ia": after}, {"transition_to_primary_storage_class": "AFTER_1_ACCESS"}]


def _file_system_policy(arn: str) -> dict[str, Any]:
    """Whoever the security group lets in may mount it, but only with TLS, which the CSI driver uses by default.

    It is what AWS's console writes to enforce encryption in transit:
    https://docs.aws.amazon.com/efs/latest/ug/create-file-system-policy.html
    """
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "MountFromNetwork",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": [
                    "elasticfilesystem:ClientMount",
                    "elasticfilesystem:ClientRootAccess",
                    "elasticfilesystem:ClientWrite",
                ],
                "Resource": arn,
                "Condition": {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}},
            },
            {
                "Sid": "RefuseUnencrypted",
                "Effect": "Deny",
                "Principal": {"AWS": "*"},
                "Action": "*",
                "Resource": arn,
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ],
    }


def _driver_configuration() -> dict[str, Any]:
    return {
        "controller": {"resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}},
        "node": {"tolerations": names.tolerations_of_storage()},
    }
