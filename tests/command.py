"""The command as a user runs it: in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
EKSML = Path(sys.executable).with_name("eksml")


def eksml(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the command and waits for it; nothing of it may reach a terminal, so there is no colour."""
    return subprocess.run(
        [str(EKSML), *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )


def check_refused(done: subprocess.CompletedProcess[str], *beginnings: str) -> None:
    """Fails unless the command ended for bad input, with these lines and no others."""
    lines = done.stderr.splitlines()
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert len(lines) == len(beginnings), done.stderr
    for line, beginning in zip(lines, beginnings, strict=True):
        assert line.startswith(f"eksml: {beginning}"), done.stderr
