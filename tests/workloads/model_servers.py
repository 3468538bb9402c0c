"""Real servers of models, each in an environment of its own, as each has an image of its own on a cluster.

Their packages do not go together, nor with the project's; `servers/` has the exact versions.
"""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from workloads.scripts import free_port, lose

SERVERS = Path(__file__).parent / "servers"
SECONDS_TO_START = 300


@contextmanager
def model_server(name: str, folder: Path, health: str, *arguments: str) -> Generator[str]:
    """The address of a server, while it runs.

    Arguments:
        name: which of `servers/`.
        folder: an empty one for what it writes.
        health: the path that answers once it is ready.
        arguments: follow its port.
    """
    port, log = free_port(), folder / "log"
    command = ["uv", "run", "--quiet", "--no-project", "--isolated", "--python", sys.executable]
    command += ["--with-requirements", str(SERVERS / f"{name}.txt"), "python", str(SERVERS / f"{name}_server.py")]
    with log.open("wb") as written:
        process = subprocess.Popen(
            [*command, str(port), *arguments], cwd=folder, stdout=written, stderr=written, start_new_session=True
        )
    try:
        url = f"http://localhost:{port}"
        _wait(process, url + health, log)
        yield url
    finally:
        lose([process])
        process.wait()


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=10):  # noqa: S310
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    pytest.fail(f"not ready:\n{log.read_text(errors='replace')[-5000:]}")
