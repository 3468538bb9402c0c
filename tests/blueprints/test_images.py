"""The Dockerfiles: what they start from and what they install has an exact version."""

import re
from pathlib import Path

import pytest

from eksml.catalog import images

FOLDER = Path(__file__).parents[2] / "blueprints" / "images"
IMAGES = sorted(file.parent.name for file in FOLDER.glob("*/Dockerfile"))
# What no framework of the catalog runs in.
OTHER_BASES = {"python:3.13.9-slim-trixie", "nvcr.io/nvidia/pytorch:26.07-py3"}


@pytest.mark.parametrize("image", IMAGES)
def test_its_bases_are_those_of_the_catalog(image: str) -> None:
    bases = re.findall(r"^FROM (\S+)", (FOLDER / image / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    known = {each.reference for each in images().values()} | OTHER_BASES
    assert bases
    # The runtime image without the compiler is the catalog's; the one that builds has it.
    assert {base.replace("-devel", "-runtime") for base in bases} <= known


@pytest.mark.parametrize("image", IMAGES)
def test_every_package_has_its_version_and_nobody_is_root(image: str) -> None:
    lines = [line for file in (FOLDER / image).glob("*.txt") for line in file.read_text(encoding="utf-8").splitlines()]
    assert lines
    assert all(re.fullmatch(r"[a-z0-9-]+(\[[a-z0-9-]+\])?==\d[\w.]*", line) for line in lines), lines
    assert "\nUSER 1000\n" in (FOLDER / image / "Dockerfile").read_text(encoding="utf-8")


def test_every_image_is_in_the_readme() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{image}` |" in readme for image in IMAGES)
