"""Regions and their zones."""

import pytest

from eksml import catalog


@pytest.mark.parametrize("name", catalog.regions())
def test_default_zones_are_two_or_more_of_the_region_that_eks_takes(name: str) -> None:
    region = catalog.regions()[name]
    assert len(region.default_zones) >= 2
    assert set(region.default_zones) <= set(region.zones) - set(region.refused_by_eks)


def test_no_two_regions_share_a_zone() -> None:
    zones = [zone for region in catalog.regions().values() for zone in region.zones]
    assert len(zones) == len(set(zones))


@pytest.mark.parametrize(
    ("region", "partition"), [("us-west-2", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_a_region_is_in_its_partition(region: str, partition: str) -> None:
    assert catalog.partition(region) == partition
