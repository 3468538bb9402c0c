"""Starts MLflow's server with what it reads from mounted secrets, and serves its metrics on a port of their own.

MLflow's own page of metrics is on the port of its API, where basic authentication lets only administrators see it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from mounted import ADDRESS, STATE, write_authentication, write_connection
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

_SECONDS_TO_LOOK_AGAIN = 5


def main() -> int:
    """Runs the server until it ends or somebody asks it to."""
    write_connection()
    threading.Thread(target=_follow_secret, daemon=True).start()
    os.environ["MLFLOW_BACKEND_STORE_URI"] = ADDRESS
    if secrets := os.environ.get("MLFLOW_SECRETS"):
        write_authentication()
        os.environ["MLFLOW_FLASK_SERVER_SECRET_KEY"] = (Path(secrets) / "flask-secret-key").read_text()
    _serve_metrics()
    command = [sys.executable, "-m", "mlflow", "server", *sys.argv[1:]]
    server = subprocess.Popen([*command, "--expose-prometheus", str(STATE / "metrics")])  # noqa: S603
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: server.send_signal(received))
    return server.wait()


def _follow_secret() -> None:
    """Connections that are made after a rotation use the new password; those that are open go on."""
    while True:
        time.sleep(_SECONDS_TO_LOOK_AGAIN)
        # Files are away for a moment, or for as long as somebody has emptied the Secret: the last ones hold.
        with suppress(OSError):
            write_connection()


def _serve_metrics() -> None:
    directory = STATE / "metrics"
    # What is left of the processes of a server before this one.
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(directory))
    start_http_server(int(os.environ["METRICS_PORT"]), registry=registry)


if __name__ == "__main__":
    sys.exit(main())
