"""How fast the command is. The other pairs of tests/benchmarks/compare.py take too long to run each time."""

import pytest

from benchmarks.compare import PAIRS, ratio

pytestmark = pytest.mark.slow


def test_fit_takes_at_most_half_as_long_again_as_the_packages_that_it_loads() -> None:
    ours, theirs, limit = PAIRS["eksml fit"]
    one, other, found = ratio(ours, theirs)
    assert found <= limit, f"{one:.2f} s against {other:.2f} s"
