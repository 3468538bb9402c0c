"""What each stack renders to, as files that a reviewer reads; a change of theirs is a change of the platform."""

from pathlib import Path

import pytest

from eksml.checks import run_checks
from eksml.cli.preview import files_of
from eksml.profiles import PROFILES
from programs import stack_plan

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"


@pytest.mark.parametrize("stack", PROFILES)
def test_a_stack_renders_to_its_golden_files(stack: str) -> None:
    plan = stack_plan(stack)
    rendered = files_of(plan, run_checks(plan))
    assert sorted(file.name for file in (GOLDEN / stack).iterdir()) == sorted(rendered)
    for name, content in rendered.items():
        written = (GOLDEN / stack / name).read_text(encoding="utf-8")
        assert content.splitlines() == written.splitlines(), (
            f"if that is meant: uv run eksml preview {stack} --out tests/golden/{stack}"
        )


def test_every_stack_has_golden_files() -> None:
    stacks = {file.stem.removeprefix("Pulumi.") for file in (ROOT / "stacks").glob("Pulumi.*.yaml")}
    assert {folder.name for folder in GOLDEN.iterdir()} == stacks == set(PROFILES)
