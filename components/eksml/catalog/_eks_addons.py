"""EKS add-ons: versions per Kubernetes version, and the workloads that they start."""

from functools import cache
from typing import Literal

from eksml.catalog._facts import Fact, SourcedFact, load

Nodes = Literal["gpu", "efa", "all", "cpu"]
"""Which nodes a workload is meant for: those with GPUs, those with EFA, all of them, or one without GPUs."""


class ServiceAccount(Fact):
    """The Kubernetes service account that an add-on's pods use to call AWS."""

    namespace: str
    name: str


class AddonWorkload(Fact):
    """A workload that an add-on starts, and where the add-on's configuration values hold its placement."""

    name: str
    kind: Literal["DaemonSet", "Deployment"]
    nodes: Nodes
    architectures: tuple[str, ...] | None = None
    """The CPU architectures that its image has; None: not known."""
    tolerates_all_taints: bool = False
    """Whether its pods tolerate every taint without being told to."""
    tolerations: str | None
    resources: str | None


class EksAddon(SourcedFact):
    """One EKS add-on."""

    versions: dict[str, str]
    is_optional: bool = False
    """Whether a platform works without it; then it has no say in which Kubernetes versions can be used."""
    service_account: ServiceAccount | None
    csi_driver: str | None = None
    """Name of the CSI driver that it brings."""
    crds: tuple[str, ...] = ()
    """Names of the CustomResourceDefinitions that it brings."""
    workloads: tuple[AddonWorkload, ...]


def service_account(addon: str) -> ServiceAccount:
    """The service account of an add-on that calls AWS. Raises LookupError for one that does not."""
    account = eks_addons()[addon].service_account
    if account is None:
        raise LookupError(f"{addon} has no service account that calls AWS")
    return account


@cache
def eks_addons() -> dict[str, EksAddon]:
    """Every add-on of the catalog, by its EKS name."""
    return {name: EksAddon.model_validate(entry) for name, entry in load("eks_addons.yaml")["addons"].items()}
