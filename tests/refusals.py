"""How tests say what a Spec refuses."""

from collections.abc import Sequence
from typing import Any

import pytest

from eksml.errors import SpecError
from eksml.spec import Spec, parse


def problems(spec_type: type[Spec], data: Any) -> list[str]:
    """Every problem that a Spec finds in data, as the user reads it."""
    with pytest.raises(SpecError) as error:
        parse(spec_type, data)
    return str(error.value).splitlines()


def check_problems(found: Sequence[str], beginnings: Sequence[str]) -> None:
    """Fails unless the problems found are those that begin so, and no others."""
    assert len(found) == len(beginnings), found
    for line, beginning in zip(found, beginnings, strict=True):
        assert line.startswith(beginning), found
