"""The role by which MLflow's servers sign in: it reads and writes rows, and makes, changes or drops nothing else."""

from __future__ import annotations

from contextlib import closing

import psycopg2
from mounted import SERVICE
from psycopg2 import sql
from psycopg2.extensions import encrypt_password

_GRANTS = (
    "grant connect on database {database} to {role}",
    "grant usage on schema public to {role}",
    # Those that the migration has made, too.
    "grant select, insert, update, delete on all tables in schema public to {role}",
    "grant usage, select on all sequences in schema public to {role}",
)


def make_role(role: str, password: str) -> None:
    """Makes the role, or gives it this password, and grants it what it needs on the tables that there are."""
    with closing(psycopg2.connect(service=SERVICE)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("select from pg_roles where rolname = %s", [role])
        if not cursor.rowcount:
            cursor.execute(sql.SQL("create role {} login").format(sql.Identifier(role)))
        # The database's log may have statements, so the password does not go there as it is.
        verifier = encrypt_password(password, role, connection, "scram-sha-256")
        cursor.execute(sql.SQL("alter role {} password %s").format(sql.Identifier(role)), [verifier])
        names = {"database": sql.Identifier(connection.info.dbname), "role": sql.Identifier(role)}
        for grant in _GRANTS:
            cursor.execute(sql.SQL(grant).format(**names))
