"""Runs the scripts that export models for the inference blueprints."""

import subprocess
import sys
from pathlib import Path

INFERENCE = Path(__file__).parents[2] / "blueprints" / "inference"


def exported(blueprint: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What the script of a blueprint said; it has compared the model with the original by then."""
    script = INFERENCE / blueprint / "export.py"
    return subprocess.run(
        [sys.executable, str(script), str(folder), *words], capture_output=True, text=True, check=False
    )


def check_exports(blueprint: str, folder: Path, *words: str) -> None:
    """Fails unless the script ends well."""
    ended = exported(blueprint, folder, *words)
    assert ended.returncode == 0, ended.stderr
    assert "differs from the original by" in ended.stdout


def check_keeps_versions(blueprint: str, folder: Path, *words: str) -> None:
    """Fails unless a version that is there stays as it is."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert exported(blueprint, folder, *words).returncode != 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
