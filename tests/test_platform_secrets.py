"""The secrets that a platform needs."""

import pulumi
import pytest

from eksml.plan.recorder import RecordingError
from platforms import production, record_platform


def test_secrets_that_are_missing_are_told_in_a_preview_and_end_an_update_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    missing = production().exports["platform"]["missingSecrets"]
    assert missing == ["eksml:mlflowAdminPassword", "eksml:pagerDutyRoutingKey", "eksml:slackWebhookUrl"]
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: False)
    with pytest.raises(RecordingError) as error:
        record_platform({"profile": "production"})
    assert [line.partition(": missing")[0] for line in str(error.value).splitlines()] == missing
    assert "pulumi config set --secret eksml:slackWebhookUrl" in str(error.value)
