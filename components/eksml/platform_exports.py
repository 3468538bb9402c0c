"""What a platform exports: all that programs which run on it need to know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pulumi

from eksml import names
from eksml.cluster.existing_cluster import ExistingCluster
from eksml.cluster.kubeconfig_cluster import KubeconfigCluster
from eksml.cluster.new_cluster import NewCluster
from eksml.network.existing_vpc import ExistingVpcSpec
from eksml.network.vpc import Vpc
from eksml.nodes.karpenter_pool import KarpenterPoolSpec
from eksml.nodes.managed_pool import ManagedPoolSpec
from eksml.service_access import ServiceAccess
from eksml.storage.shared_storage import SharedStorage

if TYPE_CHECKING:
    from eksml.platform_settings import PlatformSpec


def platform_exports(
    spec: PlatformSpec,
    cluster: NewCluster | ExistingCluster | KubeconfigCluster,
    network: Vpc | ExistingVpcSpec | None,
    storage: SharedStorage | None,
    *,
    access: Mapping[str, ServiceAccess],
    missing_secrets: Sequence[str],
) -> dict[str, Any]:
    """The exports of a platform, made of its parts; what it does not have is left out.

    How people reach its services, by name, is among them, and in a preview the keys of the secrets that are missing.
    """
    exports: dict[str, Any] = {
        "profile": spec.profile,
        "region": spec.region,
        # It may hold no secret, but it is the door: not for logs.
        "kubeconfig": pulumi.Output.secret(cluster.kubeconfig),
        "pools": {name: _exported_pool(name, pool) for name, pool in spec.pools.items()},
    }
    if not isinstance(cluster, KubeconfigCluster):
        exports |= {
            "clusterName": cluster.cluster_name,
            "clusterEndpoint": cluster.endpoint,
            "clusterSecurityGroupId": cluster.security_group_id,
            "kubernetesVersion": cluster.kubernetes_version,
        }
    if network is not None:
        exports |= {
            "vpcId": network.vpc_id,
            "privateSubnets": network.private_subnets,
            "publicSubnets": network.public_subnets,
        }
    if storage and storage.model_bucket:
        exports["modelBucket"] = storage.model_bucket.bucket_name
    if spec.mlflow:
        exports["trackingUri"] = names.MLFLOW_URL
    if access:
        exports["access"] = {name: service.as_export() for name, service in access.items()}
    if missing_secrets:
        exports["missingSecrets"] = list(missing_secrets)
    return exports


def _exported_pool(name: str, pool: ManagedPoolSpec | KarpenterPoolSpec) -> dict[str, Any]:
    return {
        "kind": pool.kind,
        "accelerator": pool.accelerator.value,
        "architecture": pool.architecture,
        "instanceTypes": list(pool.instance_types),
        "labels": pool.node_labels(name),
        "taints": pool.node_taints(),
    }
