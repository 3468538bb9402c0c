"""A database comes back after a mistake."""

from typing import Any

import pytest

from checks.faults import Fault, Planted, add, each_of, expect_found, found, planted
from eksml.plan.model import UNKNOWN

FAULTS: list[Planted] = [
    (
        "database-recoverable",
        add("aws:rds/instance:Instance", "experiments", {"backupRetentionPeriod": 0}),
        "experiments: has no backups: set backupRetentionPeriod to a week or more",
    ),
    (
        "database-recoverable",
        add("aws:rds/instance:Instance", "experiments", {"backupRetentionPeriod": 7, "skipFinalSnapshot": True}),
        "experiments: is deleted without a last snapshot: set deletionProtection, or skipFinalSnapshot to false",
    ),
]


@each_of(FAULTS)
def test_a_planted_fault_is_found(check: str, fault: Fault, text: str) -> None:
    expect_found(check, fault, text)


@pytest.mark.parametrize(
    "settings",
    [
        {"backupRetentionPeriod": 7},
        {"backupRetentionPeriod": UNKNOWN, "skipFinalSnapshot": UNKNOWN},
        {"backupRetentionPeriod": 1, "skipFinalSnapshot": True, "deletionProtection": True},
    ],
)
def test_a_database_that_comes_back_is_not_found(settings: dict[str, Any]) -> None:
    plan = planted(add("aws:rds/instance:Instance", "experiments", settings))
    assert found(plan, "database-recoverable") == []
