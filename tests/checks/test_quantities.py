"""Quantities of Kubernetes, whatever they look like."""

from fractions import Fraction
from math import ceil
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eksml.checks.quantities import amount_of

UNITS = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
FACTORS = {
    **{unit: Fraction(10) ** power for unit, power in UNITS.items()},
    **{f"{unit}i": Fraction(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
    **{f"{letter}{power:+d}": Fraction(10) ** power for letter in "eE" for power in range(-20, 20)},
}
RESOURCES = st.sampled_from(["cpu", "memory", "ephemeral-storage", "nvidia.com/gpu"])
MOST = 2**63 - 1


@st.composite
def numbers(draw: st.DrawFn) -> str:
    whole, part = draw(st.integers(0, 10**20)), draw(st.text("0123456789", max_size=12))
    return draw(st.sampled_from(["", "+"])) + draw(
        st.sampled_from([f"{whole}", f"{whole}.{part}", f".{part or 0}", f"00{whole}"])
    )


@given(number=numbers(), unit=st.sampled_from(list(FACTORS)), resource=RESOURCES)
def test_a_quantity_is_its_number_times_its_unit_rounded_up(number: str, unit: str, resource: str) -> None:
    exact = min(Fraction(number) * FACTORS[unit], Fraction(MOST))
    wanted = {"cpu": ceil(exact * 1000), "nvidia.com/gpu": ceil(exact)}.get(resource, exact // 2**20)
    assert amount_of(resource, f"{number}{unit}") == wanted


@given(number=numbers(), unit=st.sampled_from(list(FACTORS)), resource=RESOURCES)
def test_the_negative_of_a_quantity_is_no_request(number: str, unit: str, resource: str) -> None:
    assert amount_of(resource, f"-{number.removeprefix('+')}{unit}") <= 0


ALPHABET = "0123456789.+-eEnumkKMGTPi "


@given(text=st.text(ALPHABET, max_size=12) | st.text() | st.none() | st.floats() | st.integers(), resource=RESOURCES)
@example(text="1e9999999999999999999", resource="cpu")
@example(text="1e-9999999999999999999", resource="memory")
@example(text="9" * 5000, resource="nvidia.com/gpu")
@example(text="-1e30", resource="memory")
@example(text="1٣", resource="memory")
def test_whatever_is_written_there_is_a_number_of_64_bits(text: object, resource: str) -> None:
    amount = amount_of(resource, text)
    assert isinstance(amount, int)
    assert abs(amount) <= MOST * (1000 if resource == "cpu" else 1)


@given(small=numbers(), large=numbers(), unit=st.sampled_from(list(FACTORS)), resource=RESOURCES)
def test_more_is_never_read_as_less(small: str, large: str, unit: str, resource: str) -> None:
    if Fraction(small) <= Fraction(large):
        assert amount_of(resource, f"{small}{unit}") <= amount_of(resource, f"{large}{unit}")


@pytest.mark.parametrize(
    ("resource", "amount", "whole"),
    [
        # Kubernetes rounds up to the next thousandth.
        ("cpu", "500u", 1),
        ("cpu", "1500m", 1500),
        ("cpu", 2, 2000),
        ("memory", "1Pi", 2**30),
        ("memory", "1G", 953),
        ("memory", "1e9", 953),
        ("nvidia.com/gpu", "4", 4),
        ("memory", "much", 0),
        ("memory", "1.2.3", 0),
        ("memory", "1e3Ki", 0),
        ("nvidia.com/gpu", "1E99999", 2**63 - 1),
    ],
)
def test_quantities_are_read_as_kubernetes_reads_them(resource: str, amount: Any, whole: int) -> None:
    assert amount_of(resource, amount) == whole
