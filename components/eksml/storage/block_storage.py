"""Block storage: encrypted gp3 volumes, by default, for whatever claims one."""

import pulumi
import pulumi_kubernetes as k8s

from eksml import names
from eksml.catalog import managed_policy_arn
from eksml.cluster.eks_addon import EBS_CSI, EksAddon, EksAddonSpec
from eksml.component import Component, Tags
from eksml.spec import Region, Spec


class BlockStorageSpec(Spec):
    """The EBS CSI driver and the default StorageClass."""

    region: Region
    """AWS region, by which ARNs of AWS's policies are named."""
    kubernetes_version: str
    """Kubernetes version of the cluster, by which the catalog pins the driver's version."""


class BlockStorage(Component):
    """The EBS CSI add-on with its identity, and a default StorageClass of encrypted gp3 volumes.

    It needs a node that is not a GPU node, and the Pod Identity agent.

    Arguments:
        spec: region and Kubernetes version.
        cluster_name: name of the EKS cluster.
        tags: tags for every AWS resource.
    """

    def __init__(
        self,
        name: str,
        spec: BlockStorageSpec,
        *,
        cluster_name: pulumi.Input[str],
        tags: Tags | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:storage:BlockStorage", name, spec, opts, tags)
        policy = managed_policy_arn(spec.region, "service-role/AmazonEBSCSIDriverPolicy")
        driver = EksAddon(
            f"{name}-ebs-csi",
            EksAddonSpec(
                addon=EBS_CSI,
                kubernetes_version=spec.kubernetes_version,
                # The driver makes volumes by itself, so it must know their tags.
                configuration={"controller": {"extraVolumeTags": self.own_tags}} if self.own_tags else {},
                managed_policies=(policy,),
            ),
            cluster_name=cluster_name,
            tags=self.own_tags,
            opts=self.child(),
        )
        k8s.storage.v1.StorageClass(
            f"{name}-gp3",
            metadata={
                "name": names.DEFAULT_STORAGE_CLASS,
                "annotations": {names.DEFAULT_STORAGE_CLASS_ANNOTATION: "true"},
            },
            provisioner="ebs.csi.aws.com",
            parameters={"type": "gp3", "encrypted": "true"},
            # The volume is made where the pod goes, not the pod sent to where a volume happens to be.
            volume_binding_mode="WaitForFirstConsumer",
            allow_volume_expansion=True,
            reclaim_policy="Delete",
            opts=self.child(depends_on=[driver]),
        )
        self.register_outputs({})
