"""What every test needs: a fixed day, and errors instead of placeholders where an Output becomes text."""

import os
from datetime import date
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

# Read by the Pulumi SDK: an Output that is used as text raises instead of becoming an apology in the text.
os.environ["PULUMI_ERROR_OUTPUT_STRING"] = "1"

from eksml import catalog

ROOT = Path(__file__).parents[1]

# A busy machine is slow, not wrong.
settings.register_profile("eksml", deadline=None)
settings.load_profile("eksml")


@pytest.fixture(autouse=True)
def _fixed_day(monkeypatch: pytest.MonkeyPatch) -> None:
    # Support dates pass; what the tests expect of them must not change by itself.
    monkeypatch.setattr(catalog, "today", lambda: date(2026, 11, 21))


def skip(reason: str) -> NoReturn:
    """Skips a test for want of a part; where nothing may be skipped, in CI, that is a failure."""
    (pytest.fail if os.environ.get("EKSML_NO_SKIP") else pytest.skip)(reason)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real charts, CRDs and the engine's sample, which lies beside some checkouts."""
    places = (
        Path(place) for place in (os.environ.get("EKSML_SHARED"), ROOT / "shared", ROOT.parent / "shared") if place
    )
    found = next((place for place in places if (place / "charts").is_dir()), None)
    if found is None:
        skip("the real charts and CRDs are not beside this checkout (EKSML_SHARED names their folder)")
    return found
