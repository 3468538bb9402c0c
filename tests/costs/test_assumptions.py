"""What is assumed of a platform's use: named, with a unit and a source, and open to change."""

from typing import Any

import pytest

from eksml.costs import Assumptions, FrameworkAssumptions, estimate
from eksml.errors import SpecError
from eksml.spec import parse
from programs import stack_plan


def test_every_assumption_has_a_unit_a_source_and_a_description() -> None:
    for each in Assumptions().listed():
        assert each.unit
        assert each.source
        assert each.what.endswith(".")
        assert each.is_default


# The day of the bill is no amount.
@pytest.mark.parametrize("name", [name for name in Assumptions.model_fields if name != "on"])
def test_every_assumption_can_be_nothing(name: str) -> None:
    changed = Assumptions(**{name: 0})
    usual = estimate(stack_plan("production")).monthly
    assert estimate(stack_plan("production"), changed).monthly.expected <= usual.expected
    assert estimate(stack_plan("production"), changed).monthly.at_least == usual.at_least


def test_a_bill_says_which_assumptions_it_rests_on() -> None:
    bill = estimate(stack_plan("startup"))
    assert {"natGb", "jobHoursPerDay", "awakeHoursPerDay"} <= bill.assumed
    # It has no EFS, no notebooks and no load balancer.
    assert not bill.assumed & {"fileSystemGb", "notebookPeople", "loadBalancerUnits"}
    assert "awakeHoursPerDay" not in estimate(stack_plan("production")).assumed


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"natGb": -1}, "natGb: -1 given, must be at least 0"),
        ({"natGb": "$5"}, "natGb: '$5' given, must be a number"),
        ({"natGB": 5}, "natGB: unknown key, did you mean 'natGb'?"),
        ({"jobHoursPerDay": 25}, "jobHoursPerDay: 25 given, must be at most 24"),
        ({"natGb": float("inf")}, "natGb: inf given, must be at most 1000000"),
        ({"on": "soon"}, "on: 'soon' given, must be a day such as 2027-09-01"),
        ({"on": 0}, "on: 0 given, must be a day such as 2027-09-01"),
        ({"on": "2027-13-01"}, "on: '2027-13-01' given, must be a day such as 2027-09-01"),
        ({"natGb": float("nan")}, "natGb: nan given, must be"),
    ],
)
def test_what_cannot_be_is_refused_with_what_would_be_right(given: dict[str, object], problem: str) -> None:
    with pytest.raises(SpecError) as refused:
        parse(Assumptions, given)
    assert str(refused.value).startswith(problem)
    assert "\n" not in str(refused.value)


def test_a_large_assumption_is_shown_as_it_was_given() -> None:
    shown = {each.name: each.in_words for each in Assumptions(nat_gb=123_456.5, bucket_gb=1_000_000).listed()}
    assert shown["natGb"].startswith("natGb = 123456.5 GB/month (changed)")
    assert shown["bucketGb"].startswith("bucketGb = 1000000 GB (changed)")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            {"requests_per_second": 0},
            "requests_per_second: 0 given, must be above 0",
        ),
        ({"peak": 0.5}, "peak: 0.5 given, must be at least 1 ("),
        ({"peak": float("nan")}, "peak: nan given, must be a number ("),
        ({"developer_usd": 1e9}, "developer_usd: 1000000000.0 given, must be at most 1000000"),
        ({"development_effort": {"jax": 0}}, "development_effort.jax: 0 given, must be above 0"),
    ],
)
def test_what_an_assumption_must_be_is_told_in_the_words_of_the_project(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError) as refused:
        FrameworkAssumptions(**given)
    assert str(refused.value).startswith(problem)
