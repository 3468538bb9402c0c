"""Kubernetes versions and the dates until which EKS supports them."""

import datetime
from functools import cache

from eksml.catalog._eks_addons import eks_addons
from eksml.catalog._facts import SourcedFact, load


class KubernetesVersion(SourcedFact):
    """The support of one Kubernetes minor version by EKS; a date is None where no source gives it."""

    standard_support_ends: datetime.date | None
    extended_support_ends: datetime.date | None


@cache
def kubernetes_versions() -> dict[str, KubernetesVersion]:
    """Every Kubernetes version of the catalog, by number."""
    entries = load("kubernetes_versions.yaml")["versions"]
    return {number: KubernetesVersion.model_validate(entry) for number, entry in entries.items()}


def usable_kubernetes_versions() -> tuple[str, ...]:
    """The versions that the catalog has every add-on for that a platform needs, oldest first."""
    first, *others = (addon for addon in eks_addons().values() if not addon.is_optional)
    return tuple(version for version in first.versions if all(version in addon.versions for addon in others))


def default_kubernetes_version() -> str:
    """The version that a new cluster gets unless its Spec names another."""
    return load("kubernetes_versions.yaml")["default"]
