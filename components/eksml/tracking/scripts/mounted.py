"""What the pods of MLflow read from mounted files: how the database is reached, and who signs in.

All of it goes into a service file of libpq, in memory and for this user only: the password is in no address, argument
or environment variable, and so in no log and no error message. libpq reads the file anew for each connection, so what
is in it may change while a server runs.
"""

from __future__ import annotations

import os
from pathlib import Path

STATE = Path(os.environ["STATE_DIRECTORY"])
SERVICE = "mlflow"
# The driver is named, for which of them comes without a name changed with SQLAlchemy 2.1.
ADDRESS = f"postgresql+psycopg2:///?service={SERVICE}"
"""The address of the database as SQLAlchemy wants it."""

_AUTHENTICATION = STATE / "basic_auth.ini"
_SERVICE_FILE = STATE / "pg_service.conf"


def write_connection() -> None:
    """Writes how the database is reached as it is mounted now, and names the file for libpq."""
    mounted = Path(os.environ["DATABASE_SECRET"])
    # https://www.postgresql.org/docs/current/libpq-pgservice.html
    settings = {
        "host": os.environ["DATABASE_HOST"],
        "port": os.environ["DATABASE_PORT"],
        "dbname": os.environ["DATABASE_NAME"],
        "user": (mounted / "username").read_text(),
        "password": (mounted / "password").read_text(),
        "sslmode": os.environ["DATABASE_SSLMODE"],
    }
    if certificates := os.environ.get("DATABASE_CERTIFICATES"):
        settings["sslrootcert"] = certificates
    _write(_SERVICE_FILE, SERVICE, "=", settings)
    os.environ["PGSERVICEFILE"] = str(_SERVICE_FILE)


def write_authentication() -> None:
    """Writes the configuration of MLflow's basic authentication, and names it for MLflow; users are in the database."""
    settings = {
        "default_permission": os.environ["MLFLOW_DEFAULT_PERMISSION"],
        "database_uri": ADDRESS,
        "admin_username": "admin",
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
    }
    _write(_AUTHENTICATION, "mlflow", " = ", settings)
    os.environ["MLFLOW_AUTH_CONFIG_PATH"] = str(_AUTHENTICATION)


def _write(path: Path, section: str, equals: str, settings: dict[str, str]) -> None:
    text = f"[{section}]\n" + "".join(f"{key}{equals}{value}\n" for key, value in settings.items())
    beside = path.with_suffix(".new")
    with open(beside, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
    # Whoever reads it meanwhile reads all of the old one.
    beside.replace(path)
