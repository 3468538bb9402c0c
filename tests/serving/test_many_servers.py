"""Many model servers in one program cost in proportion."""

import gc

import pytest

from benchmarks.jobs import seconds
from benchmarks.servers import servers
from programs import recorded

pytestmark = pytest.mark.slow


def test_a_hundred_servers_cost_about_ten_times_what_ten_do() -> None:
    gc.disable()
    try:
        of_10, of_100 = (seconds(lambda count=count: recorded(servers(count)), rounds=2) for count in (10, 100))
    finally:
        gc.enable()
    # Quadratic would be a hundred times; half more than ten is for a machine that does other things too.
    assert of_100 < 15 * of_10
