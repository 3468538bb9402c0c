"""Brings the schema of MLflow's database up to its version; then makes MLflow's role in it, and MLflow's users.

All of it may run again, also where it was interrupted.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from cluster_secrets import kept, read, unknown, write
from mounted import ADDRESS, write_authentication, write_connection

ADMIN = "admin"
NAMESPACE = os.environ["NAMESPACE"]


def main() -> None:
    """Upgrades the schema of runs and that of users, then makes who signs in."""
    # In this process, for each of MLflow's own takes seconds to start.
    from mlflow.db import commands

    write_connection()
    commands(["upgrade", ADDRESS], standalone_mode=False)
    if "MLFLOW_SECRETS" in os.environ:
        write_authentication()
        _make_users(os.environ["MLFLOW_USERS"].split())
    if role := os.environ.get("DATABASE_ROLE"):
        _make_role(role)


def _make_role(role: str) -> None:
    from database_role import make_role

    secret = os.environ["ROLE_SECRET"]
    password = kept(read(NAMESPACE, secret), "password")
    write(NAMESPACE, secret, {"username": role, "password": password})
    make_role(role, password)


def _make_users(users: list[str]) -> None:
    """Gives each user the password in the Secret of its namespace, and those that are gone one that nobody knows."""
    # MLflow has no command for it, and its API needs a server, which does not start before there is an administrator.
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore()
    # It upgrades its schema too.
    store.init_db(ADDRESS)
    _give(store, ADMIN, (Path(os.environ["MLFLOW_SECRETS"]) / "password").read_text())
    for user in users:
        if password := _password_of(user):
            _give(store, user, password)
    secret = os.environ["SIGN_IN_SECRET"]
    found = read(NAMESPACE, secret)
    for user in sorted({*found.get("users", "").split()} - {*users}):
        if store.has_user(user):
            # What it has made stays its own, should it come back.
            store.update_user(user, password=unknown())
            print(f"locked the user {user} out")
    write(NAMESPACE, secret, {"flask-secret-key": kept(found, "flask-secret-key"), "users": " ".join(users)})


def _password_of(user: str) -> str | None:
    secret = os.environ["USER_SECRET"]
    try:
        password = kept(read(user, secret), "password")
        write(user, secret, {"username": user, "password": password})
    except HTTPError as error:
        # Teams may delete what is in their namespaces, which is no reason to stop the others.
        if error.code != 404:
            raise
        print(f"the user {user} keeps the password that it has: there is no Secret {secret} in its namespace")
        return None
    return password


def _give(store: Any, user: str, password: str) -> None:
    if not store.has_user(user):
        store.create_user(user, password, is_admin=user == ADMIN)
        print(f"made the user {user}")
    elif not store.authenticate_user(user, password):
        store.update_user(user, password=password)
        print(f"gave the user {user} another password")


if __name__ == "__main__":
    main()
