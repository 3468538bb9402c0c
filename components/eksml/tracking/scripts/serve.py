"""Starts MLflow's server with what it reads from mounted secrets, and serves its metrics on a port of their own.

MLflow's own page of metrics is on the port of its API, where basic authentication lets only administrators see it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from mounted import STATE, database_address, remember_secrets, write_authentication
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector


def main() -> int:
    """Runs the server until it ends or somebody asks it to."""
    # First, so that what changes from now on is noticed.
    remember_secrets()
    address = os.environ["MLFLOW_BACKEND_STORE_URI"] = database_address()
    if secrets := os.environ.get("MLFLOW_SECRETS"):
        write_authentication(address)
        os.environ["MLFLOW_FLASK_SERVER_SECRET_KEY"] = (Path(secrets) / "flask-secret-key").read_text()
    _serve_metrics()
    command = [sys.executable, "-m", "mlflow", "server", *sys.argv[1:]]
    server = subprocess.Popen([*command, "--expose-prometheus", str(STATE / "metrics")])  # noqa: S603
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: server.send_signal(received))
    return server.wait()


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
