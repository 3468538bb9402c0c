"""Asking for prices: pages, refusals, an interruption, and what is kept."""

from datetime import date
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from eksml.account import Account, Identity
from eksml.catalog import ListedPrice, PriceList
from eksml.errors import MissingHere
from eksml.prices.refresh import Answer, ask, laid_over
from preflight.accounts import CREDENTIALS, found
from prices.price_lists import entry, made_up, one_wanted, price_account

NAT = one_wanted("natGatewayHour", "us-west-2")
FILTERS = [
    {"Type": "TERM_MATCH", "Field": "regionCode", "Value": "us-west-2"},
    {"Type": "CONTAINS", "Field": "usagetype", "Value": "NatGateway-Hours"},
]
OLD = ListedPrice(usd=0.04, date=date(2026, 1, 1), sku="OLD")


@pytest.fixture
def account() -> Account:
    account = Account(boto3.Session(**CREDENTIALS, region_name="us-east-1"), "us-east-1")
    account.once("identity", lambda: Identity("123456789012", "arn:aws:iam::123456789012:user/founder"))
    return account


def test_it_reads_every_page(account: Account) -> None:
    asked = {"ServiceCode": "AmazonEC2", "Filters": FILTERS}
    first = {"PriceList": [entry("USW2-RegionalNatGateway-Hours", "0.09")], "NextToken": "more"}
    with Stubber(account._client("pricing")) as pricing:
        pricing.add_response("get_products", {"FormatVersion": "aws_v1", **first}, asked)
        second = {"FormatVersion": "aws_v1", "PriceList": [entry("USW2-NatGateway-Hours", "0.045")]}
        pricing.add_response("get_products", second, {**asked, "NextToken": "more"})
        (answer,) = ask([NAT], account)
        pricing.assert_no_pending_responses()
    assert answer.price is not None
    assert answer.price.usd == 0.045


def test_a_price_with_several_names_is_asked_for_by_each(account: Account) -> None:
    with Stubber(account._client("pricing")) as pricing:
        pricing.add_response("get_products", {"PriceList": []})
        pricing.add_response(
            "get_products", {"PriceList": [entry("USW2-Requests-Tier1", "0.0000004", unit="Requests")]}
        )
        (answer,) = ask([one_wanted("queueRequests", "us-west-2")], account)
    assert answer.price is not None
    assert answer.price.usd == 0.4


def test_credentials_that_may_not_ask_are_missing(account: Account) -> None:
    with Stubber(account._client("pricing")) as pricing:
        pricing.add_client_error("get_products", "AccessDeniedException", "no")
        with pytest.raises(MissingHere, match="your credentials may not ask pricing:GetProducts: allow pricing:GetPro"):
            ask([NAT], account)


def test_a_question_that_aws_does_not_answer_costs_only_its_own_price() -> None:
    reply = made_up()

    def now_and_then(params: dict[str, Any]) -> dict[str, Any]:
        return found("ValidationException") if params["ServiceCode"] == "AmazonEKS" else reply(params)

    with price_account(now_and_then) as account:
        answers = ask([one_wanted("eksControlPlane", "us-west-2"), NAT], account)
    assert [bool(answer.price) for answer in answers] == [False, True]
    assert answers[0].problem == "pricing:GetProducts was answered with ValidationException: as the test says"


def test_answers_come_in_the_order_of_what_is_wanted_and_progress_is_told() -> None:
    wanted = [one_wanted(name, "us-west-2") for name in ("secret", "kmsKey", "gp3Gb", "snapshotGb", "ecrGb")]
    told: list[int] = []
    with price_account(made_up()) as account:
        assert [answer.wanted for answer in ask(wanted, account, told.append)] == wanted
    assert told == [1, 2, 3, 4, 5]


def test_after_an_interruption_nothing_more_is_asked() -> None:
    number, reply = 0, made_up()

    def counted(params: dict[str, Any]) -> dict[str, Any]:
        nonlocal number
        number += 1
        return reply(params)

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    wanted = [NAT] * 200
    with price_account(counted) as account, pytest.raises(KeyboardInterrupt):
        ask(wanted, account, interrupted)
    assert number < len(wanted)


def test_what_was_not_found_stays_as_it_was_and_so_do_other_regions() -> None:
    new = ListedPrice(usd=0.045, date=date(2026, 11, 21), sku="NEW")
    before = PriceList(
        prices={"natGatewayHour": {"us-west-2": OLD, "eu-central-1": OLD}, "kmsKey": {"us-west-2": OLD}},
        instance_types={"g6.xlarge": {"us-west-2": OLD}},
    )
    answers = [
        Answer(NAT, new),
        Answer(one_wanted("kmsKey", "us-west-2"), problem="none"),
        Answer(one_wanted("g6.2xlarge", "us-west-2"), new),
    ]
    assert laid_over(before, answers) == PriceList(
        prices={"natGatewayHour": {"us-west-2": new, "eu-central-1": OLD}, "kmsKey": {"us-west-2": OLD}},
        instance_types={"g6.xlarge": {"us-west-2": OLD}, "g6.2xlarge": {"us-west-2": new}},
    )
    assert before.prices["natGatewayHour"]["us-west-2"] == OLD
