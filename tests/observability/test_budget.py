"""A budget in AWS: what is counted, and who is told."""

from typing import Any

import pytest

from eksml import names
from eksml.observability.budget import Budget, BudgetSpec
from eksml.plan import Plan, Resource
from eksml.spec import parse
from programs import one, recorded
from refusals import check_problems, problems

BUDGET = "aws:budgets/budget:Budget"
ASKED: dict[str, Any] = {"monthlyUsd": 2000, "emails": ["ml@example.com"]}


def budget(**settings: Any) -> Resource:
    def program() -> None:
        Budget("lab-budget", parse(BudgetSpec, {**ASKED, **settings}), platform="lab", tags={names.PLATFORM_TAG: "lab"})

    plan: Plan = recorded(program)
    return one(plan, BUDGET)


def test_it_works_alone_and_counts_what_carries_the_tag_of_the_platform() -> None:
    inputs = budget().inputs
    assert inputs["costFilters"] == [{"name": "TagKeyValue", "values": ["user:eksml:platform$lab"]}]
    assert (inputs["name"], inputs["budgetType"], inputs["timeUnit"]) == ("lab", "COST", "MONTHLY")
    assert (inputs["limitAmount"], inputs["limitUnit"]) == ("2000.0", "USD")
    assert inputs["tags"] == {names.PLATFORM_TAG: "lab", "Name": "lab-budget"}


def test_credits_do_not_hide_what_is_spent() -> None:
    assert budget().inputs["costTypes"] == {"includeCredit": False, "includeRefund": False}


def test_people_are_told_on_the_way_to_it_and_when_it_is_expected_to_be_too_little() -> None:
    alerts = budget().inputs["notifications"]
    assert [(each["notificationType"], each["threshold"]) for each in alerts] == [
        ("ACTUAL", 50),
        ("ACTUAL", 80),
        ("ACTUAL", 100),
        ("FORECASTED", 100),
    ]
    assert {each["thresholdType"] for each in alerts} == {"PERCENTAGE"}
    assert {tuple(each["subscriberEmailAddresses"]) for each in alerts} == {("ml@example.com",)}


def test_a_topic_is_told_too_or_instead() -> None:
    topic = "arn:aws:sns:us-west-2:123456789012:bills"
    (alert,) = budget(emails=[], topicArn=topic, alertsAtPercent=[90], forecastAlertsAtPercent=[]).inputs[
        "notifications"
    ]
    assert alert["subscriberSnsTopicArns"] == [topic]
    assert "subscriberEmailAddresses" not in alert


def test_without_anybody_to_tell_the_budget_is_kept_all_the_same() -> None:
    inputs = budget(emails=[]).inputs
    assert "notifications" not in inputs
    assert inputs["limitAmount"] == "2000.0"


@pytest.mark.parametrize(
    ("settings", "beginnings"),
    [
        ({"emails": ["somebody"]}, ["emails[0]: 'somebody' given, must be an e-mail address"]),
        ({"emails": ["a@example.com", "a@example.com"]}, ["emails[1]: 'a@example.com' is listed twice"]),
        ({"emails": [f"{n}@example.com" for n in range(11)]}, ["emails: "]),
        ({"topicArn": "bills"}, ["topicArn: 'bills' given, must be the ARN of an SNS topic"]),
        ({"monthlyUsd": 0}, ["monthlyUsd: 0 given, must be at least 1"]),
        ({"monthlyUsd": None}, ["monthlyUsd: nothing given"]),
        ({"alertsAtPercent": [80, 80]}, ["alertsAtPercent[1]: '80' is listed twice"]),
        ({"alertsAtPercent": list(range(10, 110, 10))}, ["alertsAtPercent: 11 alerts together"]),
        ({"alertsAtPercent": [], "forecastAlertsAtPercent": []}, ["alertsAtPercent: empty, as"]),
        ({"onExceed": "stop"}, ["onExceed: 'stop' given, must be"]),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], beginnings: list[str]) -> None:
    check_problems(problems(BudgetSpec, {**ASKED, **settings}), beginnings)
