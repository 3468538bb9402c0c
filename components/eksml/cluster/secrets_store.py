"""Secrets of AWS Secrets Manager as files in pods, without a copy in Kubernetes."""

from typing import Annotated

import pulumi
from pydantic import Field

from eksml.cluster.eks_addon import SECRETS_STORE, EksAddon, EksAddonSpec
from eksml.component import Component, Tags
from eksml.spec import Spec


class SecretsStoreSpec(Spec):
    """The Secrets Store CSI driver with AWS's provider."""

    rotation_poll_seconds: Annotated[int, Field(strict=True, ge=15, le=86_400)] = 120
    """Seconds after which a mounted secret is read again, from 15 to 86400; each time costs a request of each pod."""


class SecretsStore(Component):
    """The EKS add-on by which pods mount secrets of Secrets Manager and Parameter Store as files.

    What a pod mounts is said by a SecretProviderClass in its namespace, and read with the rights of the pod's own
    service account: the add-on has none. A changed secret appears in the files of running pods. Nothing is copied into
    Secrets of Kubernetes. A SecretProviderClass, and what mounts it, depends on this component.

    Its pods run on every node without a taint: pods on tainted GPU nodes cannot mount secrets. It needs the Pod
    Identity agent.

    Arguments:
        spec: how often secrets are read again.
        kubernetes_version: Kubernetes version of the cluster, by which the catalog pins the add-on's version.
        cluster_name: name of the EKS cluster.
        tags: tags for every AWS resource.
    """

    def __init__(
        self,
        name: str,
        spec: SecretsStoreSpec,
        *,
        kubernetes_version: str,
        cluster_name: pulumi.Input[str],
        tags: Tags | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:cluster:SecretsStore", name, spec, opts, tags)
        driver = {
            "enableSecretRotation": True,
            # Since version 1.6 of the driver the kubelet asks again and again, and this is how long an answer is good.
            "rotationPollInterval": f"{spec.rotation_poll_seconds}s",
        }
        addon = EksAddonSpec(
            addon=SECRETS_STORE,
            kubernetes_version=kubernetes_version,
            configuration={"secrets-store-csi-driver": driver},
        )
        EksAddon(f"{name}-csi", addon, cluster_name=cluster_name, tags=self.own_tags, opts=self.child())
        self.register_outputs({})
