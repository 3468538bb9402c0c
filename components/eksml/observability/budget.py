"""A budget in AWS: who is told once a platform costs more than it should."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Any

import pulumi
import pulumi_aws as aws
from pydantic import Field

from eksml import names
from eksml.component import Component, Tags
from eksml.errors import Problem, repetitions
from eksml.spec import EmailAddress, Spec, TopicArn

# https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_NotificationWithSubscribers.html
_MOST_EMAILS = 10
# https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Notification.html
_MOST_ALERTS = 10

AlertPercents = tuple[Annotated[int, Field(strict=True, ge=1, le=1000)], ...]


class OnExceed(StrEnum):
    """What the check `within-budget` says of a stack that probably costs more."""

    WARN = "warn"
    """A warning."""
    FAIL = "fail"
    """An error: `eksml preview` and `eksml check` end with exit code 1."""


class BudgetSpec(Spec):
    """What a platform may cost in a month, and who is told when it costs more."""

    monthly_usd: Annotated[int, Field(strict=True, ge=1, le=100_000_000)]
    """US dollars a month: what AWS compares the bill with, and `eksml check` its estimate."""
    on_exceed: OnExceed = OnExceed.WARN
    """What `eksml check` makes of an estimate above it, before anything is built: warn, or fail."""
    emails: Annotated[tuple[EmailAddress, ...], Field(max_length=_MOST_EMAILS)] = ()
    """Who is told by AWS; empty, and no topicArn: nobody, who does not look."""
    topic_arn: TopicArn | None = None
    """ARN of an SNS topic that is told too; its policy must let budgets.amazonaws.com publish."""
    alerts_at_percent: AlertPercents = (50, 80, 100)
    """Of the budget, in percent: they are told once so much is spent."""
    forecast_alerts_at_percent: AlertPercents = (100,)
    """Of the budget, in percent: they are told once AWS expects so much by the end of the month."""

    def rules(self) -> Iterator[Problem]:
        """Whoever is told is told of something, and of no more than AWS keeps count of."""
        alerts = {"alertsAtPercent": self.alerts_at_percent, "forecastAlertsAtPercent": self.forecast_alerts_at_percent}
        for field, given in (("emails", self.emails), *alerts.items()):
            yield from repetitions((field,), given)
        if (count := sum(map(len, alerts.values()))) > _MOST_ALERTS:
            text = f"{count} alerts together with forecastAlertsAtPercent, must be at most {_MOST_ALERTS}"
            yield Problem(("alertsAtPercent",), f"{text}: AWS has no more for a budget")
        elif not count and self.tells_somebody:
            yield Problem(("alertsAtPercent",), "empty, as forecastAlertsAtPercent is: nobody would be told")

    @property
    def tells_somebody(self) -> bool:
        """Whether anybody gets its alerts."""
        return bool(self.emails or self.topic_arn)


class Budget(Component):
    """A monthly budget of AWS for all that carries the tag of one platform.

    What carries no tag is not counted, and nothing is before the tag is activated in Billing. That cannot be done here:
    it is the whole account's, or that of who pays for it, and AWS knows the tag only a day after it is first used.

    Arguments:
        spec: how much it is, and who is told.
        platform: the platform's name, which is the value of its tag `eksml:platform`.
        tags: tags for the budget itself.
    """

    def __init__(
        self,
        name: str,
        spec: BudgetSpec,
        *,
        platform: str,
        tags: Tags | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:observability:Budget", name, spec, opts, tags)
        aws.budgets.Budget(
            name,
            name=platform,
            budget_type="COST",
            time_unit="MONTHLY",
            limit_amount=f"{spec.monthly_usd}.0",
            limit_unit="USD",
            cost_filters=[{"name": "TagKeyValue", "values": [f"user:{names.PLATFORM_TAG}${platform}"]}],
            # Credits would hide what is spent until they are used up.
            cost_types=aws.budgets.BudgetCostTypesArgs(include_credit=False, include_refund=False),
            notifications=[
                *_notifications(spec, "ACTUAL", spec.alerts_at_percent),
                *_notifications(spec, "FORECASTED", spec.forecast_alerts_at_percent),
            ]
            if spec.tells_somebody
            else None,
            tags=self.tagged(name),
            opts=self.child(),
        )
        self.register_outputs({})


def _notifications(spec: BudgetSpec, kind: str, percents: Sequence[int]) -> list[Any]:
    return [
        aws.budgets.BudgetNotificationArgs(
            notification_type=kind,
            comparison_operator="GREATER_THAN",
            threshold=percent,
            threshold_type="PERCENTAGE",
            subscriber_email_addresses=list(spec.emails) or None,
            subscriber_sns_topic_arns=[spec.topic_arn] if spec.topic_arn else None,
        )
        for percent in percents
    ]
