"""The tutorial, as one story: its commands run in its order, and print what it shows."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from command import ROOT, eksml
from preflight.accounts import ready_machine

pytestmark = pytest.mark.slow

TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
STEPS = re.findall(r"^    uv run eksml (.+)\n(?:\n```\n((?:.+\n)+)```)?", TUTORIAL, re.MULTILINE)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What the story needs of a clone, to write into."""
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    for folder in ("stacks", "blueprints/training"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def test_its_commands_go_from_a_recommendation_to_an_account_that_is_ready(clone: Path) -> None:
    assert [command.split()[0] for command, _ in STEPS[:6]] == ["recommend", "preview", "fit", "cost", "cost", "diff"]
    with ready_machine():
        for command, shown in STEPS:
            done = eksml(*shlex.split(command), cwd=clone)
            said = done.stdout + done.stderr
            assert done.returncode == int("eksml: 1 error found" in shown), f"{command}: {said}"
            for line in shown.splitlines():
                assert line == "…" or line in said, f"{command}: {said}"


def test_what_it_writes_into_the_stack_file_is_what_it_tried_before() -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```", TUTORIAL, re.MULTILINE | re.DOTALL)
    (ranges,) = yaml.safe_load(block)["config"]["eksml:platform"]["cluster"]["publicAccessCidrs"]
    assert f"--set cluster.publicAccessCidrs=[{ranges}]" in TUTORIAL
