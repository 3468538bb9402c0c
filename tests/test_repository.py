"""What is committed is fit for strangers."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Put together, so that this file does not find itself.
FORBIDDEN = {
    "a path of somebody's machine": "/" + r"(root|home/\w+|Users/\w+|work)/\w",
    "a private key": "-----BEGIN [A-Z ]*PRIVATE" + " KEY-----\n",
    "an AWS access key": r"\b(AKIA|ASIA)[A-Z0-9]{16}\b",
    "a token": r"\b(hf_|ghp_)[A-Za-z0-9]{30,}",
    "a promise": "TO" + "DO|FIX" + "ME|XX" + "X",
}


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds_what_does_not_belong_to_the_project(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [str(file.relative_to(ROOT)) for file in tracked() if pattern.search(file.read_text(encoding="utf-8"))]
    assert found == []


def test_what_is_run_is_executable() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
