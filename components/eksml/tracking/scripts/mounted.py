"""What the pods of MLflow read from mounted files: how the database is reached, and who signs in.

The password goes into a password file of libpq, in memory and for this user only: it is in no address, argument or
environment variable, and so in no log and no error message.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from urllib.parse import quote, urlencode

STATE = Path(os.environ["STATE_DIRECTORY"])
_DATABASE = Path(os.environ["DATABASE_SECRET"])
_AUTHENTICATION = STATE / "basic_auth.ini"
_FINGERPRINT = STATE / "fingerprint"
_PASSWORD_FILE = STATE / "pgpass"


def secret_directories() -> list[Path]:
    """The directories with secrets: the database's, and MLflow's own where there are any."""
    return [Path(given) for given in (os.environ["DATABASE_SECRET"], os.environ.get("MLFLOW_SECRETS")) if given]


def fingerprint() -> str:
    """What changes with any of the secrets."""
    digest = hashlib.sha256()
    for directory in secret_directories():
        for name in sorted(path.name for path in directory.iterdir() if not path.name.startswith(".")):
            digest.update(f"{name}\0".encode() + (directory / name).read_bytes() + b"\0")
    return digest.hexdigest()


def remember_secrets() -> None:
    """Notes which secrets this process has read."""
    _write(_FINGERPRINT, fingerprint())


def secrets_are_remembered() -> bool:
    """Whether the mounted secrets are still those that the server has read."""
    return _FINGERPRINT.read_text() == fingerprint()


def database_address() -> str:
    """The address of the database as SQLAlchemy wants it, without the password."""
    user, password = ((_DATABASE / name).read_text() for name in ("username", "password"))
    host, port, name = (os.environ[f"DATABASE_{part}"] for part in ("HOST", "PORT", "NAME"))
    # https://www.postgresql.org/docs/current/libpq-pgpass.html
    fields = (field.replace("\\", "\\\\").replace(":", "\\:") for field in (host, port, name, user, password))
    _write(_PASSWORD_FILE, ":".join(fields) + "\n")
    options = {"sslmode": os.environ["DATABASE_SSLMODE"], "passfile": str(_PASSWORD_FILE)}
    if certificates := os.environ.get("DATABASE_CERTIFICATES"):
        options["sslrootcert"] = certificates
    # The driver is named, for which of them comes without a name changed with SQLAlchemy 2.1.
    return f"postgresql+psycopg2://{quote(user, safe='')}@{host}:{port}/{quote(name, safe='')}?{urlencode(options)}"


def write_authentication(address: str) -> None:
    """Writes the configuration of MLflow's basic authentication, and names it for MLflow; users are in the database."""
    lines = {
        "default_permission": os.environ["MLFLOW_DEFAULT_PERMISSION"],
        "database_uri": address.replace("%", "%%"),
        "admin_username": "admin",
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
    }
    text = "".join(f"{key} = {value}\n" for key, value in lines.items())
    _write(_AUTHENTICATION, f"[mlflow]\n{text}")
    os.environ["MLFLOW_AUTH_CONFIG_PATH"] = str(_AUTHENTICATION)


def _write(path: Path, text: str) -> None:
    # libpq ignores a password file that others may read.
    with open(path, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
