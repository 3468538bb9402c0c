"""Paths to settings: text that `--set` takes, errors print, and `pulumi config set --path` understands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksml.paths import parse_path, path_text

KEYS = st.text(min_size=1).filter(lambda key: '"' not in key)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("pools.train.size", ("pools", "train", "size")),
        ("pools.train.instanceTypes[0]", ("pools", "train", "instanceTypes", 0)),
        ('tags["cost.center/team"]', ("tags", "cost.center/team")),
        ("node-pool.a_b", ("node-pool", "a_b")),
        ("größe.x", ("größe", "x")),
        (".pools", None),
        ("pools..size", None),
        ("pools[x]", None),
        ("pools train", None),
        ("", None),
    ],
)
def test_a_path_is_read_or_refused(text: str, path: tuple[str | int, ...] | None) -> None:
    if path is None:
        with pytest.raises(ValueError, match="is not a path like"):
            parse_path(text)
    else:
        assert parse_path(text) == path


@given(st.lists(st.one_of(KEYS, st.integers(0, 99)), min_size=1).filter(lambda path: isinstance(path[0], str)))
def test_a_path_that_was_written_is_read_back(path: list[str | int]) -> None:
    if path[0] == path_text((path[0],)):
        assert parse_path(path_text(tuple(path))) == tuple(path)
