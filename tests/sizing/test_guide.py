"""The guide's example prints what the guide shows."""

import re
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "sizing.md"


def test_the_example_of_the_guide_prints_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    shown = re.search(r"```python\n([^`]*)```\n\n((?:    .+\n)+)", GUIDE.read_text(encoding="utf-8"))
    assert shown
    exec(shown[1], {})  # noqa: S102
    assert capsys.readouterr().out.split() == shown[2].split()
