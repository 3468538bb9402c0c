"""What the README of a blueprint says to try first works as shipped."""

import json
import re
import shlex
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from eksml.checks import run_checks
from eksml.cli.arguments import values_of
from eksml.plan import Plan
from eksml.plan.project import find_stack
from eksml.plan.recorder import record

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(file.parent for file in (ROOT / "blueprints").glob("*/*/Pulumi.yaml"))
COMMAND = re.compile(r"^    uv run eksml (?:preview|check) (.+)$", re.MULTILINE)


@cache
def platform(name: str, settings: str) -> Plan:
    return record(replace(find_stack(str(ROOT), name), config=json.loads(settings)))


def first_command(folder: Path) -> list[str]:
    """What stands behind `eksml preview` in the README."""
    return shlex.split(COMMAND.findall((folder / "README.md").read_text(encoding="utf-8"))[0])


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_command_of_its_readme_passes(folder: Path) -> None:
    target, *options = first_command(folder)
    assert ROOT / target == folder
    assert set(options[::2]) <= {"--set"}
    settings = values_of(options[1::2], "--set", "")
    stack = find_stack(str(folder)).on_platform().with_settings(settings)
    assert stack.platform
    plan = record(stack, platform(stack.platform.name, json.dumps(stack.platform.config)))
    assert run_checks(plan).errors == ()


def test_the_stack_files_of_kserve_name_what_their_platform_has_to_have() -> None:
    stack = find_stack(str(ROOT / "blueprints" / "inference" / "kserve")).on_platform()
    assert stack.lent == ("serving.kserve",)
    without = find_stack(str(ROOT), "research")
    (error,) = run_checks(record(stack, platform("research", json.dumps(without.config)))).errors
    assert error.check == "reference-exists"
