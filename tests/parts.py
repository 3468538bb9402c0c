"""Parts that tests need and that are not in the repository: where they are, and what to say without them."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[1]


def skip(reason: str) -> NoReturn:
    """Skips a test for want of a part; where nothing may be skipped, in CI, that is a failure."""
    (pytest.fail if os.environ.get("EKSML_NO_SKIP") else pytest.skip)(reason)


def shared_folder() -> Path | None:
    """The folder with the real charts, CRDs and the engine's sample, which lies beside some checkouts."""
    places = (
        Path(place) for place in (os.environ.get("EKSML_SHARED"), ROOT / "shared", ROOT.parent / "shared") if place
    )
    return next((place for place in places if (place / "charts").is_dir()), None)


def need_program(program: str, package: str) -> str:
    """The path of a program; skips the test without it, and says how to get it."""
    return shutil.which(program) or skip(f"needs {program}: apt-get install {package}")
