"""FSx for Lustre: a fast file system for each claim, for training that reads and writes faster than EFS can."""

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
from pydantic import Field

from eksml import names
from eksml.catalog import partition
from eksml.cluster.eks_addon import FSX_CSI, EksAddon, EksAddonSpec
from eksml.component import Component, Tags
from eksml.errors import Problem, SpecError
from eksml.spec import Spec, Zone

# https://docs.aws.amazon.com/fsx/latest/LustreGuide/managing-throughput-capacity.html
ThroughputPerTib = Literal[125, 250, 500, 1000]
_LEAST_THROUGHPUT = 125

# Nodes have Linux 6 and its Lustre client, which cannot mount 2.10, the default of scratch file systems.
# https://docs.aws.amazon.com/fsx/latest/LustreGuide/lustre-client-matrix.html
_LUSTRE_VERSION = "2.15"

# https://docs.aws.amazon.com/fsx/latest/LustreGuide/limit-access-security-groups.html
_PORTS = {"lustre": (988, 988), "lustre-servers": (1018, 1023)}


class LustreDeployment(StrEnum):
    """How long the data of a Lustre file system is meant to live."""

    SCRATCH2 = "scratch2"
    """For data that is elsewhere too: one copy, cheaper, 200 MB/s per TiB; a lost server takes its files along."""
    PERSISTENT2 = "persistent2"
    """For data that is nowhere else: replicated in its zone, with a throughput of choice and backups."""


_DEPLOYMENT_TYPES = {LustreDeployment.SCRATCH2: "SCRATCH_2", LustreDeployment.PERSISTENT2: "PERSISTENT_2"}


class LustreSpec(Spec):
    """The CSI driver of FSx for Lustre and the StorageClass `lustre`."""

    deployment_type: LustreDeployment = LustreDeployment.SCRATCH2
    """How long data is meant to live: scratch2 (one copy) or persistent2 (replicated)."""
    per_unit_throughput: ThroughputPerTib | None = None
    """Throughput in MB/s for each TiB of storage, by default 125; only with deploymentType: persistent2."""
    zone: Zone
    """Zone of the network in which file systems lie; pods elsewhere reach them, slower and for a price by the GB."""
    compression: Literal["lz4", "none"] = "lz4"
    """Whether the file servers compress what they store: lz4 or none."""
    backup_days: Annotated[int, Field(strict=True, ge=0, le=90)] = 0
    """Days to keep daily backups, from 0 (none) to 90; only with persistent2, and gone with the file system."""

    def rules(self) -> Iterator[Problem]:
        """What FSx takes with persistent file systems only."""
        if self.deployment_type is LustreDeployment.PERSISTENT2:
            return
        if self.per_unit_throughput is not None:
            reason = "scratch2 always has 200; only persistent2 has a choice"
            yield Problem(("perUnitThroughput",), f"{self.per_unit_throughput} given, but {reason}")
        if self.backup_days:
            reason = "FSx keeps no backups of scratch2; take persistent2"
            yield Problem(("backupDays",), f"{self.backup_days} given, but {reason}")


class Lustre(Component):
    """The FSx CSI driver with its identity, a security group for file systems, and a StorageClass that makes them.

    Each claim of class `lustre` gets a file system of its own, encrypted at rest, after five to ten minutes. It has 1.2
    TiB, 2.4 TiB or a multiple of 2.4 TiB; other sizes are rounded up. Many pods can mount it ReadWriteMany. It is
    deleted with its claim, and costs money until then: delete claims before this component.

    It needs a node that is not a GPU node, and the Pod Identity agent.

    Arguments:
        spec: how file systems are made.
        region: the AWS region.
        kubernetes_version: Kubernetes version of the cluster, by which the catalog pins the driver's version.
        cluster_name: name of the EKS cluster.
        cluster_security_group_id: id of the security group that the cluster's nodes have; Lustre's ports are opened in
            it for the file systems.
        vpc_id: id of the VPC.
        private_subnets: private subnet ids by zone.
        tags: tags for every AWS resource, the file systems too, but for tags with an equals sign, which the driver
            cannot read.

    Attributes:
        security_group_id: id of the file systems' security group.
        storage_class: name of the StorageClass.
    """

    def __init__(
        self,
        name: str,
        spec: LustreSpec,
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
        super().__init__("eksml:storage:Lustre", name, spec, opts, tags)
        if spec.zone not in private_subnets:
            zones = ", ".join(private_subnets)
            raise SpecError([Problem(("zone",), f"'{spec.zone}' is not a zone of the network: {zones}")])
        group = self._security_group(vpc_id, cluster_security_group_id)
        self.security_group_id: pulumi.Output[str] = group.id
        self.storage_class = names.LUSTRE_STORAGE_CLASS
        needs = [
            *self._openings_in_cluster(cluster_security_group_id),
            self._driver(region, kubernetes_version, cluster_name),
        ]
        k8s.storage.v1.StorageClass(
            f"{name}-lustre",
            metadata={"name": self.storage_class},
            provisioner="fsx.csi.aws.com",
            parameters={
                "subnetId": private_subnets[spec.zone],
                "securityGroupIds": self.security_group_id,
                "extraTags": self._extra_tags(cluster_name),
                **_parameters(spec),
            },
            # Programs that share files lock them.
            mount_options=["flock"],
            # The zone is settled, and a GPU node should not stand idle for the minutes that a file system takes.
            volume_binding_mode="Immediate",
            allow_volume_expansion=True,
            reclaim_policy="Delete",
            opts=self.child(depends_on=needs),
        )
        self.register_outputs({"securityGroupId": self.security_group_id, "storageClass": self.storage_class})

    def _security_group(
        self, vpc_id: pulumi.Input[str], cluster_security_group_id: pulumi.Input[str]
    ) -> aws.ec2.SecurityGroup:
        rules: list[Any] = [
            {
                "protocol": "tcp",
                "from_port": first,
                "to_port": last,
                "self": True,
                "security_groups": [cluster_security_group_id],
            }
            for first, last in _PORTS.values()
        ]
        return aws.ec2.SecurityGroup(
            self.resource_name,
            vpc_id=vpc_id,
            description="Lustre between file servers and the cluster",
            ingress=rules,
            egress=rules,
            tags=self.tagged(self.resource_name),
            opts=self.child(),
        )

    def _openings_in_cluster(self, cluster_security_group_id: pulumi.Input[str]) -> list[pulumi.Resource]:
        # File servers call their clients too.
        return [
            aws.vpc.SecurityGroupIngressRule(
                f"{self.resource_name}-{kind}",
                security_group_id=cluster_security_group_id,
                referenced_security_group_id=self.security_group_id,
                ip_protocol="tcp",
                from_port=first,
                to_port=last,
                description="Lustre from file servers",
                tags=self.tagged(f"{self.resource_name}-{kind}"),
                opts=self.child(),
            )
            for kind, (first, last) in _PORTS.items()
        ]

    def _driver(self, region: str, kubernetes_version: str, cluster_name: pulumi.Input[str]) -> EksAddon:
        return EksAddon(
            f"{self.resource_name}-csi",
            EksAddonSpec(
                addon=FSX_CSI,
                kubernetes_version=kubernetes_version,
                configuration={"node": {"tolerations": [names.gpu_toleration()]}},
            ),
            cluster_name=cluster_name,
            policy=pulumi.Output.from_input(cluster_name).apply(
                lambda cluster: json.dumps(_driver_policy(region, cluster))
            ),
            tags=self.own_tags,
            opts=self.child(),
        )

    def _extra_tags(self, cluster_name: pulumi.Input[str]) -> pulumi.Output[str]:
        readable = {key: value for key, value in self.own_tags.items() if "=" not in key + value}
        tags = ",".join(f"{key}={value}" for key, value in readable.items())
        return pulumi.Output.from_input(cluster_name).apply(
            lambda cluster: ",".join(part for part in (f"{names.owned_by(cluster)}=owned", tags) if part)
        )


def _parameters(spec: LustreSpec) -> dict[str, str]:
    """What the driver hands to FSx: https://github.com/kubernetes-sigs/aws-fsx-csi-driver, dynamic provisioning."""
    parameters = {
        "deploymentType": _DEPLOYMENT_TYPES[spec.deployment_type],
        "fileSystemTypeVersion": _LUSTRE_VERSION,
        "dataCompressionType": spec.compression.upper(),
    }
    if spec.deployment_type is LustreDeployment.PERSISTENT2:
        parameters["perUnitStorageThroughput"] = str(spec.per_unit_throughput or _LEAST_THROUGHPUT)
    if spec.backup_days:
        parameters |= {"automaticBackupRetentionDays": str(spec.backup_days), "copyTagsToBackups": "true"}
    return parameters


def _driver_policy(region: str, cluster: str) -> dict[str, Any]:
    """What the driver may do: make file systems that are tagged as this cluster's, and change and delete only those.

    AWS documents AmazonFSxFullAccess, which can delete every file system and backup of the account. These are the calls
    that the driver makes, without those for S3 as a data repository, which its parameters here never ask for, and what
    FSx looks up for its caller: https://github.com/kubernetes-sigs/aws-fsx-csi-driver/blob/master/docs/install.md.
    FSx needs its service-linked role, which the first file system of an account makes.
    """
    file_systems = f"arn:{partition(region)}:fsx:{region}:*:file-system/*"
    role = f"arn:{partition(region)}:iam::*:role/aws-service-role/fsx.amazonaws.com/AWSServiceRoleForAmazonFSx"
    owned = names.owned_by(cluster)
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "MakeOwn",
                "Effect": "Allow",
                "Action": ["fsx:CreateFileSystem", "fsx:TagResource"],
                "Resource": file_systems,
                "Condition": {"StringEquals": {f"aws:RequestTag/{owned}": "owned"}},
            },
            {
                "Sid": "ChangeOwn",
                "Effect": "Allow",
                "Action": ["fsx:DeleteFileSystem", "fsx:UpdateFileSystem"],
                "Resource": file_systems,
                "Condition": {"StringEquals": {f"aws:ResourceTag/{owned}": "owned"}},
            },
            {
                "Sid": "ReadRegion",
                "Effect": "Allow",
                "Action": [
                    "ec2:DescribeSecurityGroups",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeVpcs",
                    "ec2:GetSecurityGroupsForVpc",
                    "fsx:DescribeFileSystems",
                ],
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:RequestedRegion": region}},
            },
            {
                "Sid": "MakeServiceLinkedRole",
                "Effect": "Allow",
                "Action": "iam:CreateServiceLinkedRole",
                "Resource": role,
                "Condition": {"StringEquals": {"iam:AWSServiceName": "fsx.amazonaws.com"}},
            },
        ],
    }
