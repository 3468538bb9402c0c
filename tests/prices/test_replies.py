"""What the Price List answers: one price, or why there is none."""

import json
from datetime import date

import pytest

from eksml import catalog
from eksml.prices.replies import NoPrice, price_in
from prices.price_lists import entry, one_wanted

NAT = one_wanted("natGatewayHour", "us-west-2")


def test_the_price_is_that_of_the_product_with_the_usage_type_of_the_region() -> None:
    reply = [
        entry("USW2-NatGateway-Hours", "0.0450000000", sku="RIGHT"),
        entry("USW2-RegionalNatGateway-Hours", "0.05"),
        entry("EUC1-NatGateway-Hours", "0.052"),
        entry("TS-NatGateway-Hours", "0.01"),
        entry("NatGateway-Hours", "0.02"),
    ]
    assert price_in(reply, NAT) == catalog.ListedPrice(usd=0.045, date=date(2026, 11, 21), sku="RIGHT")


@pytest.mark.parametrize(
    ("name", "region", "usage_type", "unit"),
    [
        ("natGatewayHour", "us-east-1", "NatGateway-Hours", "Hrs"),
        ("publicAddressHour", "us-east-1", "USE1-PublicIPv4:InUseAddress", "Hrs"),
        ("kmsKey", "eu-central-1", "eu-central-1-KMS-Keys", "Keys"),
        ("efsStandardGb", "eu-west-1", "EUW1-TimedStorage-ByteHrs", "GB-Mo"),
        ("s3StandardGb", "eu-west-1", "EU-TimedStorage-ByteHrs", "gb-mo"),
        ("secret", "ap-southeast-1", "APS1-AWSSecretsManager-Secret", "Secrets"),
        ("hostedZone", "us-west-2", "HostedZone", "HostedZone"),
        ("g6.12xlarge", "us-west-2", "USW2-BoxUsage:g6.12xlarge", "Hrs"),
        ("rdsPostgresql.db.m7g.xlarge.multiZone", "us-west-2", "USW2-Multi-AZUsage:db.m7g.xl", "Hrs"),
    ],
)
def test_usage_types_are_named_in_several_ways(name: str, region: str, usage_type: str, unit: str) -> None:
    assert price_in([entry(usage_type, "0.5", unit=unit)], one_wanted(name, region)).usd == 0.5


@pytest.mark.parametrize(
    ("name", "usage_type", "unit", "quoted", "usd"),
    [
        ("gp3Throughput", "USW2-EBS:VolumeP-Throughput.gp3", "GiBps-mo", "40.9600000000", 0.04),
        ("gp3Throughput", "USW2-EBS:VolumeP-Throughput.gp3", "MiBps-Mo", "0.0400000000", 0.04),
        ("s3Writes", "USW2-Requests-Tier1", "Requests", "0.0000050000", 0.005),
        ("secretRequests", "USW2-AWSSecretsManagerAPIRequest", "API Requests", "0.0000050000", 0.05),
        ("queueRequests", "USW2-Requests-RBP", "Requests", "0.0000004000", 0.4),
        ("networkLoadBalancerUnitHour", "USW2-LCUUsage", "LCU-Hrs", "0.0060000000", 0.006),
    ],
)
def test_a_price_is_for_the_unit_of_the_catalog(name: str, usage_type: str, unit: str, quoted: str, usd: float) -> None:
    assert price_in([entry(usage_type, quoted, unit=unit)], one_wanted(name, "us-west-2")).usd == usd


def test_of_tiers_it_is_the_first_that_costs_something() -> None:
    out = one_wanted("internetGb", "us-west-2")
    assert price_in([entry("USW2-DataTransfer-Out-Bytes", "0.09", "0.085", "0.07", unit="GB")], out).usd == 0.09
    assert price_in([entry("USW2-DataTransfer-Out-Bytes", "0.0000", "0.09", "0.085", unit="GB")], out).usd == 0.09


def test_products_that_agree_are_one_price() -> None:
    reply = [entry("USW2-NatGateway-Hours", usd, sku=sku) for usd, sku in (("0.045", "B"), ("0.0450", "A"))]
    assert price_in(reply, NAT).sku == "A"


OTHER_UNIT = "its price is for 'GB', must be for Hrs, Hours, LCU-Hrs or NLCU-Hrs"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ([], "the Price List has no such product"),
        ([entry("USW2-RegionalNatGateway-Hours", "0.045")], "the Price List has no such product"),
        (
            [entry("USW2-NatGateway-Hours", usd, sku=sku) for usd, sku in (("0.045", "A"), ("0.05", "B"))],
            "the Price List has several prices of it: 0.045 (SKU A), 0.05 (SKU B)",
        ),
        ([entry("USW2-NatGateway-Hours", "0.0000000000")], "its price is 0 (SKU SKU1)"),
        ([entry("USW2-NatGateway-Hours", "-1")], "its price is -1 (SKU SKU1)"),
        ([entry("USW2-NatGateway-Hours", "0.045", unit="GB")], OTHER_UNIT),
        ([entry("USW2-NatGateway-Hours", "0.3", currency="CNY")], "its price is in CNY, not in USD"),
        ([entry("USW2-NatGateway-Hours")], "its price is 0 (SKU SKU1)"),
        ([entry("USW2-NatGateway-Hours", "NaN")], "an entry of the reply cannot be read: terms.OnDemand."),
        (["{"], "an entry of the reply cannot be read: the whole"),
        (["[]"], "an entry of the reply cannot be read: the whole"),
        (['{"product": {"sku": "A", "attributes": {}}}'], "an entry of the reply cannot be read: terms"),
    ],
)
def test_a_reply_without_one_price_says_why_and_is_no_guess(reply: list[str], reason: str) -> None:
    with pytest.raises(NoPrice) as refused:
        price_in(reply, NAT)
    assert str(refused.value).startswith(reason)


def test_a_product_that_can_only_be_reserved_has_no_price() -> None:
    content = json.loads(entry("USW2-NatGateway-Hours", "0.045"))
    del content["terms"]["OnDemand"]
    with pytest.raises(NoPrice, match=r"it has no price on demand \(SKU SKU1\)"):
        price_in([json.dumps(content)], NAT)


def test_two_prices_on_demand_of_one_product_are_told() -> None:
    one, other = (json.loads(entry("USW2-NatGateway-Hours", usd)) for usd in ("0.045", "0.05"))
    one["terms"]["OnDemand"]["later"] = next(iter(other["terms"]["OnDemand"].values()))
    with pytest.raises(NoPrice, match=r"several prices on demand \(SKU SKU1\): 0.045 or 0.05"):
        price_in([json.dumps(one)], NAT)
