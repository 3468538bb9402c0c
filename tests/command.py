"""The command as a user runs it."""

import gc
import io
import os
import signal
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from eksml.cli import main
from eksml.plan import Plan
from eksml.plan.project import Stack
from eksml.plan.recorder import record

ROOT = Path(__file__).parents[1]
EKSML = Path(sys.executable).with_name("eksml")

Done = subprocess.CompletedProcess[str]

_plans: dict[str, Plan] = {}


def _recorded_once(stack: Stack, platform: Plan | None = None) -> Plan:
    """The Plan of a stack; that of a program of this repository, which no test changes, is made once."""
    if platform or not stack.program.is_relative_to(ROOT):
        return record(stack, platform)
    said = repr(stack)
    if said not in _plans:
        _plans[said] = record(stack)
    return _plans[said]


def eksml(*arguments: str, cwd: Path = ROOT) -> Done:
    """Runs the command in this process, where the SDKs of the providers are loaded already: seconds quicker.

    Nothing of it reaches a terminal, so there is no colour.
    """
    out, err, code = io.StringIO(), io.StringIO(), 0
    try:
        with (
            chdir(cwd),
            patch.object(sys, "argv", ["eksml", *arguments]),
            patch("eksml.plan.recorder.record", _recorded_once),
            # What would end its process ends the tests' one too, such as a server of theirs whose client has gone.
            patch.object(signal, "signal"),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        # What the command sets for the rest of its process, which is not its own here.
        gc.enable()
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def eksml_process(*arguments: str, cwd: Path = ROOT, **environment: str) -> Done:
    """Runs the command in a process of its own and waits for it."""
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


def check_refused(done: Done, *beginnings: str) -> None:
    """Fails unless the command ended for bad input, with these lines and no others."""
    lines = done.stderr.splitlines()
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert len(lines) == len(beginnings), done.stderr
    for line, beginning in zip(lines, beginnings, strict=True):
        assert line.startswith(f"eksml: {beginning}"), done.stderr
