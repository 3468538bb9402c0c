"""Which prices are asked for, and that the data says how."""

import pytest

from eksml import catalog
from eksml.errors import InputError
from eksml.prices.wanted import wanted_in
from prices.price_lists import one_wanted


def test_every_price_of_the_catalog_is_wanted_in_every_region_and_of_types_where_ec2_offers_them() -> None:
    regions = sorted(catalog.priced_regions())
    found = {(each.name, each.region) for each in wanted_in(regions)}
    types = {(name, region) for name, fact in catalog.instance_types().items() for region in fact.regions}
    others = {(name, region) for name in catalog.prices() for region in regions if name != "hostedZone"}
    assert found == types | others | {("hostedZone", "all")}


def test_a_region_that_is_given_twice_is_asked_for_once() -> None:
    assert wanted_in(["us-west-2", "us-west-2"]) == wanted_in(["us-west-2"])


@pytest.mark.parametrize("region", ["us-west-9", "", "all", "eu-central-1a", "ü"])
def test_a_region_without_instance_types_is_refused_with_those_that_have_some(region: str) -> None:
    with pytest.raises(InputError, match=rf"--region {region}: must be ap-northeast-1, .* or us-west-2"):
        wanted_in([region])


def test_a_request_names_the_region_the_usage_type_and_what_else_the_product_must_have() -> None:
    assert list(one_wanted("internetGb", "eu-central-1").filters()) == [
        [
            {"Type": "TERM_MATCH", "Field": "transferType", "Value": "AWS Outbound"},
            {"Type": "TERM_MATCH", "Field": "toLocation", "Value": "External"},
            {"Type": "TERM_MATCH", "Field": "fromRegionCode", "Value": "eu-central-1"},
            {"Type": "CONTAINS", "Field": "usagetype", "Value": "DataTransfer-Out-Bytes"},
        ]
    ]


def test_an_instance_is_linux_on_shared_hardware_without_software_and_no_capacity_block() -> None:
    (filters,) = one_wanted("p5.48xlarge", "us-west-2").filters()
    assert {each["Field"]: each["Value"] for each in filters} == {
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "marketoption": "OnDemand",
        "instanceType": "p5.48xlarge",
        "regionCode": "us-west-2",
    }


def test_what_is_the_same_everywhere_is_asked_for_without_a_region() -> None:
    (filters,) = one_wanted("hostedZone", "us-west-2").filters()
    assert filters == [{"Type": "CONTAINS", "Field": "usagetype", "Value": "HostedZone"}]


def test_every_price_says_how_it_is_found_and_who_says_so() -> None:
    for each in wanted_in(sorted(catalog.priced_regions())):
        listing = each.listing
        assert listing.source, each
        assert listing.usage_types or "instanceType" in listing.attributes, each
        assert catalog.price_list_units(each.unit), each
        assert each.region == "all" or catalog.usage_type_prefixes(each.region), each
