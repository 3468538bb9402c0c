"""Runs the clients of served models as people do."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

CLIENTS = Path(__file__).parents[2] / "blueprints" / "inference" / "clients"
PNG = b"\x89PNG\r\n"


def run_client(name: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """What a client says."""
    command = [sys.executable, str(CLIENTS / f"{name}.py"), *arguments]
    return subprocess.run(
        command, env={**os.environ, "COLUMNS": "200", **environment}, capture_output=True, text=True, check=False
    )


def said(name: str, *arguments: str, **environment: str) -> str:
    """What a client says that succeeds."""
    done = run_client(name, *arguments, **environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def refused(name: str, *arguments: str, **environment: str) -> str:
    """What a client says that fails, in a sentence and not in a traceback."""
    done = run_client(name, *arguments, **environment)
    assert done.returncode in (1, 2), done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    return done.stderr


def load_test(protocol: str, output: Path, *arguments: str) -> list[dict[str, Any]]:
    """The steps of a load test, which has written all that it should."""
    table = said("load_test", protocol, "--output", str(output), *arguments)
    steps = json.loads((output / "results.json").read_text())["steps"]
    assert "latency p99, ms" in table
    assert (output / "results.png").read_bytes().startswith(PNG)
    with (output / "results.csv").open() as file:
        assert [int(row["concurrency"]) for row in csv.DictReader(file)] == [step["concurrency"] for step in steps]
    for step in steps:
        ranks = list(step["latencySeconds"].values())
        assert ranks == sorted(ranks)
        assert step["requests"] > 0
    return steps
