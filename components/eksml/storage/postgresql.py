"""A PostgreSQL database for the platform's own services: one that RDS runs, or one that exists."""

from typing import Annotated, Literal, NamedTuple

import pulumi
from pydantic import Field

from eksml.spec import HostName, KeyArn, Spec, pattern

SecretArn = Annotated[
    str,
    pattern(
        r"^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:\S+$",
        "the ARN of a secret of Secrets Manager, arn:aws:secretsmanager:…:secret:…",
    ),
]


class DatabaseAccess(NamedTuple):
    """How a database is reached, and where its user and password are."""

    host: pulumi.Input[str]
    port: pulumi.Input[int]
    database: pulumi.Input[str]
    secret_arn: pulumi.Input[str]
    """Of a secret of Secrets Manager: JSON with `username` and `password`."""
    key_arn: pulumi.Input[str] | None = None
    """Of the KMS key that encrypts the secret, which a reader of it must be allowed to use; None: AWS's own."""


class ExistingDatabaseSpec(Spec):
    """A PostgreSQL database that exists, which the cluster's nodes reach."""

    kind: Literal["existing"] = "existing"
    host: HostName
    """Host name of the server."""
    port: Annotated[int, Field(strict=True, ge=1, le=65_535)] = 5432
    """Port of the server."""
    database: str
    """Name of the database, which exists."""
    secret_arn: SecretArn
    """ARN of a secret of Secrets Manager, JSON with `username` and `password`; the user owns the database."""
    key_arn: KeyArn | None = None
    """ARN of the KMS key that encrypts the secret; none given: AWS's own."""

    @property
    def access(self) -> DatabaseAccess:
        """How it is reached."""
        return DatabaseAccess(self.host, self.port, self.database, self.secret_arn, self.key_arn)


class PostgresqlSpec(Spec):
    """A PostgreSQL database that Amazon RDS runs."""

    kind: Literal["rds"] = "rds"
