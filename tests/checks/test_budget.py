"""Whether a stack keeps within its budget: a warning or an error, with what is dearest."""

from typing import Any

import pytest

from checks.faults import PLATFORM, Fault, Planted, change, changed, each_of, expect_found
from eksml.check_list import Severity
from eksml.checks import run_checks
from eksml.checks.finding import Finding
from eksml.checks.run import as_json
from eksml.costs import estimate
from eksml.plan import Plan
from eksml.profiles import PROFILES
from programs import stack_plan


def with_budget(stack: str, region: str = "us-west-2", **budget: Any) -> Plan:
    in_region = change(PLATFORM, "", "spec/region", region)
    return changed(stack_plan(stack), in_region, change(PLATFORM, "", "spec/budget", budget))


def findings(plan: Plan) -> tuple[Finding, ...]:
    return run_checks(plan, ["within-budget"]).findings


@pytest.mark.parametrize("stack", PROFILES)
def test_a_budget_is_kept_up_to_the_dollar_and_no_further(stack: str) -> None:
    expected = estimate(stack_plan(stack)).monthly.expected
    assert findings(with_budget(stack, monthlyUsd=int(expected) + 1, onExceed="fail")) == ()
    assert len(findings(with_budget(stack, monthlyUsd=int(expected) - 1, onExceed="fail"))) == 1


def test_without_a_budget_nothing_is_said() -> None:
    assert findings(stack_plan("production")) == ()


@pytest.mark.parametrize(("on_exceed", "severity"), [("warn", Severity.WARNING), ("fail", Severity.ERROR)])
def test_whether_it_is_an_error_is_said_by_the_budget(on_exceed: str, severity: Severity) -> None:
    report = run_checks(with_budget("startup", monthlyUsd=100, onExceed=on_exceed), ["within-budget"])
    assert [each.severity for each in report.findings] == [severity]
    assert len(report.errors) == (severity is Severity.ERROR)
    assert as_json(report)[0]["severity"] == severity


def test_the_figures_and_the_three_dearest_are_told() -> None:
    bill = estimate(stack_plan("production"))
    (finding,) = findings(with_budget("production", monthlyUsd=5000))
    assert f"probably costs ${bill.monthly.expected:,.0f} a month" in finding.text
    assert "its budget is $5,000: the dearest are eksml-production-train $" in finding.text
    _, _, dearest = finding.text.partition("the dearest are ")
    assert dearest.count("$") == 3


def test_where_no_prices_are_known_a_budget_cannot_be_judged_and_that_is_a_warning() -> None:
    (finding,) = findings(with_budget("startup", region="mx-central-1", monthlyUsd=1, onExceed="fail"))
    assert finding.text.startswith("cannot be held against its budget: ")
    assert finding.severity is Severity.WARNING


FAULTS: list[Planted] = [
    (
        "within-budget",
        change(PLATFORM, "", "spec/budget", {"monthlyUsd": 1000, "onExceed": "fail"}),
        "eksml-production: probably costs $",
    ),
]


@each_of(FAULTS)
def test_a_planted_fault_is_found(check: str, fault: Fault, text: str) -> None:
    expect_found(check, fault, text)
