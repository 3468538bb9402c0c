"""What is assumed of a platform's use: named, with a unit and a source, and open to change."""

import pytest

from eksml.costs import Assumptions, estimate
from eksml.errors import SpecError
from eksml.spec import parse
from programs import stack_plan


def test_every_assumption_has_a_unit_a_source_and_a_description() -> None:
    for each in Assumptions().listed():
        assert each.unit
        assert each.source
        assert each.what.endswith(".")
        assert each.is_default


@pytest.mark.parametrize("name", Assumptions.model_fields)
def test_every_assumption_can_be_nothing(name: str) -> None:
    changed = Assumptions(**{name: 0})
    usual = estimate(stack_plan("production")).monthly
    assert estimate(stack_plan("production"), changed).monthly.expected <= usual.expected
    assert estimate(stack_plan("production"), changed).monthly.at_least == usual.at_least


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"natGb": -1}, "natGb: -1 given, must be at least 0"),
        ({"natGb": "$5"}, "natGb: '$5' given, must be a number"),
        ({"natGB": 5}, "natGB: unknown key, did you mean 'natGb'?"),
        ({"jobHoursPerDay": 25}, "jobHoursPerDay: 25 given, must be at most 24"),
        ({"natGb": float("inf")}, "natGb: inf given, must be at most 1000000"),
        ({"natGb": float("nan")}, "natGb: nan given, must be"),
    ],
)
def test_what_cannot_be_is_refused_with_what_would_be_right(given: dict[str, object], problem: str) -> None:
    with pytest.raises(SpecError) as refused:
        parse(Assumptions, given)
    assert str(refused.value).startswith(problem)
