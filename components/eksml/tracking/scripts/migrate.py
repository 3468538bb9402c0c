"""Brings the schema of MLflow's database up to its version, then makes the users of its basic authentication.

All of it may run again, also where it was interrupted.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mounted import database_address, write_authentication

ADMIN = "admin"


def main() -> None:
    """Upgrades both schemas, then the users."""
    address = database_address()
    _run("mlflow", "db", "upgrade", address)
    if users := os.environ.get("MLFLOW_SECRETS"):
        write_authentication(address)
        _run("mlflow.server.auth", "db", "upgrade", "--url", address)
        _make_users(address, {path.name: path.read_text() for path in Path(users).iterdir() if path.name[0] != "."})


def _run(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], check=True)  # noqa: S603


def _make_users(address: str, passwords: dict[str, str]) -> None:
    # MLflow has no command for it, and its API needs a server, which does not start before there is an administrator.
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore()
    store.init_db(address)
    for user, password in sorted(passwords.items()):
        if not store.has_user(user):
            store.create_user(user, password, is_admin=user == ADMIN)
            print(f"made the user {user}")
        elif not store.authenticate_user(user, password):
            store.update_user(user, password=password)
            print(f"gave the user {user} another password")


if __name__ == "__main__":
    main()
