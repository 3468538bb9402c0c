"""Builds the programs of a control plane, once for each set of versions, and keeps them outside the checkout."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from parts import skip

MODULE = Path(__file__).parent


def programs() -> Path:
    """The folder with the programs that go.mod names as tools. The first time, this takes minutes."""
    folder = _cache() / _version()
    if not folder.is_dir():
        if shutil.which("go") is None:
            skip("the control plane is built with Go, which is missing: https://go.dev/dl/, or apt-get install golang")
        _build(folder)
    return folder


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eksml" / "controlplane"


def _version() -> str:
    files = (MODULE / "go.mod", MODULE / "go.sum")
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def _build(folder: Path) -> None:
    """Builds into the folder, which appears when it is complete; of several at it at a time, one builds."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            return
        print(f"Building a Kubernetes control plane into {folder}: minutes, this once.", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
            built = Path(unfinished) / "built"
            # Go tells on standard error what it downloads. A workspace around the checkout is none of its business.
            command = ["go", "build", "-o", f"{built}/", "tool"]
            subprocess.run(command, cwd=MODULE, env={**os.environ, "GOWORK": "off"}, check=True)
            # The name that etcd's module gives it says little.
            (built / "server").rename(built / "etcd")
            built.rename(folder)
