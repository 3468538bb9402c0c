"""How long resources take: figures with their range, or an estimate that is one."""

import pytest

from eksml import catalog


@pytest.mark.parametrize("name", catalog.durations())
def test_a_figure_lies_in_its_range_and_where_there_is_none_an_estimate_stands(name: str) -> None:
    entry = catalog.durations()[name]
    for seconds in (entry.create_seconds, entry.delete_seconds):
        known = [value for value in (seconds.low, seconds.median, seconds.high) if value is not None]
        assert known == sorted(known)
        assert all(value >= 0 for value in known)
    assert (entry.create_seconds.median is None) == (entry.estimate_seconds is not None)


def test_without_a_source_there_is_no_figure() -> None:
    unknown = [entry for entry in catalog.durations().values() if entry.source == "unknown"]
    assert unknown
    assert all(entry.create_seconds.median is None for entry in unknown)


@pytest.mark.parametrize(
    ("kind", "variant", "seconds", "is_estimate"),
    [
        ("aws:kms/key:Key", None, 28, False),
        ("aws:eks/nodeGroup:NodeGroup", "cpu", 114.5, False),
        ("aws:eks/nodeGroup:NodeGroup", "gpu", 170, True),
        ("aws:sqs/queue:Queue", None, 5, True),
        ("kubernetes:core/v1:Namespace", None, 2, True),
        ("pulumi:providers:kubernetes", None, 0, True),
        ("random:index/pet:Pet", None, 5, True),
    ],
)
def test_the_nearest_entry_counts(kind: str, variant: str | None, seconds: float, is_estimate: bool) -> None:
    time = catalog.create_time(kind, variant)
    assert (time.seconds, time.is_estimate) == (seconds, is_estimate)


def test_the_hidden_control_plane_takes_as_long_as_a_visible_one() -> None:
    known = catalog.durations()
    assert known["eks:index:Cluster"].create_seconds == known["aws:eks/cluster:Cluster"].create_seconds
