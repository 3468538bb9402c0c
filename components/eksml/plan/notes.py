"""What a reader of a Plan should know before `pulumi up`, each with the setting that changes it."""

from collections.abc import Iterator, Mapping
from typing import Any

from eksml import catalog
from eksml.plan.model import Plan


def notes(plan: Plan) -> list[str]:
    """Notes on a Plan, from the Specs that its components were made of."""
    return [
        note
        for resource_type, noted in _NOTED.items()
        for resource in plan.of_type(resource_type)
        for note in noted(resource.name, resource.inputs.get("spec", {}))
    ]


def _cluster(name: str, spec: Mapping[str, Any]) -> Iterator[str]:
    if ranges := spec.get("publicAccessCidrs"):
        places = ", ".join(ranges)
        yield f"The API server of {name} is reachable from its VPC and from {places}: run `pulumi up` from there."
    else:
        yield (
            f"The API server of {name} is reachable from its VPC only: run `pulumi up` from inside the VPC (a host, a "
            "runner or a VPN there), or let your own addresses in with cluster.publicAccessCidrs."
        )
    fact = catalog.kubernetes_versions().get(str(spec.get("kubernetesVersion")))
    if fact and fact.standard_support_ends and fact.standard_support_ends < catalog.today():
        yield (
            f"EKS ended its standard support of Kubernetes {spec['kubernetesVersion']} on "
            f"{fact.standard_support_ends}: take a newer version (cluster.kubernetesVersion) or a newer eksml."
        )
    if spec.get("deletionProtection"):
        yield f"AWS refuses to delete the cluster {name} until cluster.deletionProtection is false and applied."


def _managed_pool(name: str, spec: Mapping[str, Any]) -> Iterator[str]:
    if spec.get("size") == 0:
        yield f"The managed pool {name} has no nodes and gets none by itself: pods for it wait until its size is set."


def _vpc(name: str, spec: Mapping[str, Any]) -> Iterator[str]:
    if spec.get("natGateways") == "none":
        yield f"The VPC {name} has no NAT gateway: nodes can pull images only from ECR (network.natGateways)."


_NOTED = {
    "eksml:cluster:NewCluster": _cluster,
    "eksml:network:Vpc": _vpc,
    "eksml:nodes:ManagedPool": _managed_pool,
}
