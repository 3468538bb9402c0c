"""What pods and people share: a model bucket, and file systems that many nodes can mount."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from eksml.component import Component, Tags
from eksml.spec import Spec
from eksml.storage.bucket_mounts import BucketMounts, BucketMountsSpec
from eksml.storage.efs import Efs, EfsSpec
from eksml.storage.lustre import Lustre, LustreSpec
from eksml.storage.model_bucket import ModelBucket, ModelBucketSpec


class SharedStorageSpec(Spec):
    """Which kinds of shared storage there are; each is there only if it is named."""

    model_bucket: ModelBucketSpec | None = None
    """A bucket for models, checkpoints and data sets, which every team reads and writes its own part of."""
    bucket_mounts: BucketMountsSpec | None = None
    """Buckets as volumes, which training jobs use for data and checkpoints of `kind: s3`."""
    efs: EfsSpec | None = None
    """A shared file system for many small files, such as homes and code: StorageClass `efs`."""
    lustre: LustreSpec | None = None
    """Fast file systems for training, one for each claim: StorageClass `lustre`."""


class SharedStorage(Component):
    """The shared storage of a cluster.

    Arguments:
        spec: which kinds there are.
        region: the AWS region.
        kubernetes_version: Kubernetes version of the cluster, by which the catalog pins the drivers' versions.
        cluster_name: name of the EKS cluster.
        cluster_security_group_id: id of the security group that the cluster's nodes have.
        vpc_id: id of the VPC.
        private_subnets: private subnet ids by zone.
        tags: tags for every AWS resource.

    Attributes:
        model_bucket: the bucket, if there is one.
    """

    def __init__(
        self,
        name: str,
        spec: SharedStorageSpec,
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
        super().__init__("eksml:storage:SharedStorage", name, spec, opts, tags)
        self.model_bucket: ModelBucket | None = None
        if spec.model_bucket:
            self.model_bucket = ModelBucket(
                f"{name}-models", spec.model_bucket, cluster_name=cluster_name, tags=tags, opts=self.child()
            )
        if spec.bucket_mounts:
            BucketMounts(
                f"{name}-buckets",
                spec.bucket_mounts,
                kubernetes_version=kubernetes_version,
                cluster_name=cluster_name,
                tags=tags,
                opts=self.child(),
            )
        handles: dict[str, Any] = {
            "region": region,
            "kubernetes_version": kubernetes_version,
            "cluster_name": cluster_name,
            "cluster_security_group_id": cluster_security_group_id,
            "vpc_id": vpc_id,
            "private_subnets": private_subnets,
            "tags": tags,
            "opts": self.child(),
        }
        if spec.efs:
            Efs(f"{name}-efs", spec.efs, **handles)
        if spec.lustre:
            Lustre(f"{name}-lustre", spec.lustre, **handles)
        self.register_outputs({})
