"""Buckets as volumes, by the CSI driver of Mountpoint for Amazon S3."""

import pulumi

from eksml import names
from eksml.cluster.eks_addon import S3_CSI, EksAddon, EksAddonSpec
from eksml.component import Component, Tags
from eksml.spec import Spec


class BucketMountsSpec(Spec):
    """Buckets as volumes. It has no settings: which bucket a pod sees is said by the volume that it mounts."""


class BucketMounts(Component):
    """The CSI driver by which pods mount buckets, each pod with the rights of its own service account.

    The driver has no identity in AWS. Each mounted volume is served by a small pod of the driver, on the same node, in
    the namespace `mount-s3`.

    It needs a node that is not a GPU node, and the Pod Identity agent.

    Arguments:
        spec: has no settings.
        kubernetes_version: Kubernetes version of the cluster, by which the catalog pins the driver's version.
        cluster_name: name of the EKS cluster.
        tags: tags for every AWS resource.
    """

    def __init__(
        self,
        name: str,
        spec: BucketMountsSpec,
        *,
        kubernetes_version: str,
        cluster_name: pulumi.Input[str],
        tags: Tags | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:storage:BucketMounts", name, spec, opts, tags)
        addon = EksAddonSpec(
            addon=S3_CSI,
            kubernetes_version=kubernetes_version,
            configuration={"node": {"tolerations": names.tolerations_of_storage()}},
        )
        EksAddon(f"{name}-csi", addon, cluster_name=cluster_name, tags=self.own_tags, opts=self.child())
        self.register_outputs({})
