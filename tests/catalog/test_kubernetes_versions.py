"""Kubernetes versions: what can be built on each."""

import pytest

from eksml import catalog

NEEDED = [addon for addon in catalog.eks_addons().values() if not addon.is_optional]


def test_the_default_version_is_the_newest_that_every_addon_has_that_a_platform_needs() -> None:
    complete = [
        version for version in catalog.kubernetes_versions() if all(version in addon.versions for addon in NEEDED)
    ]
    assert catalog.default_kubernetes_version() == max(complete, key=lambda version: int(version.partition(".")[2]))


def test_every_addon_that_a_platform_needs_has_the_same_kubernetes_versions() -> None:
    assert len({tuple(addon.versions) for addon in NEEDED}) == 1


def test_an_optional_addon_has_no_say_in_which_versions_can_be_used() -> None:
    missing = [addon for addon in catalog.eks_addons().values() if "1.34" not in addon.versions]
    assert missing
    assert all(addon.is_optional for addon in missing)
    assert "1.34" in catalog.usable_kubernetes_versions()


def test_an_optional_addon_has_the_default_version() -> None:
    assert all(catalog.default_kubernetes_version() in addon.versions for addon in catalog.eks_addons().values())


@pytest.mark.parametrize("version", catalog.eks_addons()["vpc-cni"].versions)
def test_a_version_with_addons_is_supported_and_has_node_images(version: str) -> None:
    fact = catalog.kubernetes_versions()[version]
    assert fact.standard_support_ends is not None
    assert fact.standard_support_ends > catalog.today()
    assert all(version in family.releases for family in catalog.ami_families().values())


def test_extended_support_ends_after_standard_support() -> None:
    for fact in catalog.kubernetes_versions().values():
        if fact.extended_support_ends and fact.standard_support_ends:
            assert fact.extended_support_ends > fact.standard_support_ends
