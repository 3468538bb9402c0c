"""What a stack file says of MLflow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import ceil
from typing import Annotated, Literal

from pydantic import Field

from eksml.config_keys import described
from eksml.errors import Problem
from eksml.network.authentication import OpenIdConnect
from eksml.spec import BucketName, HttpsUrl, KeyArn, PositiveCount, RelativePath, Spec
from eksml.storage.postgresql import ExistingDatabaseSpec, PostgresqlSpec

LOGIN_SECRET = "mlflow-login"
"""The Secret by which the load balancer signs people in."""
ADMIN = "admin"
# Measured with MLflow 3.17: 290 MB for each worker, and as much for the process that starts them.
_GIB_OF_A_PROCESS = 0.35


class MlflowBasicAuthentication(Spec):
    """Each team signs in with a name and a password, and so do the administrator and whom they add."""

    kind: Literal["basic"] = "basic"
    default_permission: Literal["none", "read", "use", "edit", "manage"] = "read"
    """What everybody who signs in may do with what others have made; with their own things people may do everything."""


class MlflowEntryAuthentication(Spec):
    """People sign in with an identity provider, at the platform's entry; MLflow itself knows no users.

    Its endpoints are in the provider's document at ISSUER/.well-known/openid-configuration. The provider must allow
    `https://HOST/oauth2/idpresponse` as a redirect. Inside the cluster, network policies decide who reaches MLflow:
    the pods of all teams do, and may change everything.
    """

    kind: Literal["openIdConnect"] = "openIdConnect"
    issuer: HttpsUrl
    """The provider's issuer identifier."""
    authorization_endpoint: HttpsUrl
    """Where people sign in."""
    token_endpoint: HttpsUrl
    """Where the load balancer gets tokens."""
    user_info_endpoint: HttpsUrl
    """Where the load balancer learns who it is."""
    client_id: Annotated[str, Field(min_length=1)]
    """The client that the provider knows MLflow as."""
    scope: str = "openid"
    """What is asked of the provider, separated by spaces."""
    session_hours: Annotated[int, Field(strict=True, ge=1, le=168)] = 12
    """Hours for which a sign-in holds."""

    @property
    def login(self) -> OpenIdConnect:
        """What the load balancer is told."""
        return OpenIdConnect(
            issuer=self.issuer,
            authorization_endpoint=self.authorization_endpoint,
            token_endpoint=self.token_endpoint,
            user_info_endpoint=self.user_info_endpoint,
            secret=LOGIN_SECRET,
            scope=self.scope,
            session_hours=self.session_hours,
        )


class ArtifactsSpec(Spec):
    """Where models, plots and other files of runs lie."""

    bucket: BucketName | None = None
    """Name of a bucket that exists; by default the platform's model bucket."""
    prefix: RelativePath = "mlflow"
    """The folder in it, which nothing else writes to."""
    key_arn: KeyArn | None = None
    """ARN of the KMS key that encrypts a bucket of one's own; none given: S3's own keys."""

    def rules(self) -> Iterator[Problem]:
        """A key is that of a bucket which is named."""
        if self.bucket is None:
            yield from self.without_effect("the platform's model bucket, which has its own", "key_arn")


class MlflowSpec(Spec):
    """MLflow: experiments, runs and registered models in PostgreSQL, artifacts in S3."""

    database: Annotated[PostgresqlSpec | ExistingDatabaseSpec, Field(discriminator="kind")]
    """Where experiments, runs and registered models are kept: a database of RDS, or one that exists."""
    artifacts: ArtifactsSpec = Field(default_factory=ArtifactsSpec)
    """Where files of runs and models are kept."""
    authentication: Annotated[MlflowBasicAuthentication | MlflowEntryAuthentication, Field(discriminator="kind")] = (
        Field(default_factory=MlflowBasicAuthentication)
    )
    """Who is let in: basic, by users of MLflow's own, or openIdConnect, at the platform's entry."""
    replicas: PositiveCount = 1
    """Servers that answer; with two or more it stays up while nodes change."""
    workers: Annotated[int, Field(strict=True, ge=1, le=32)] = 2
    """Processes of each server that answer requests."""
    memory_gib: PositiveCount = 2
    """Memory of each server, in GiB."""
    scratch_gib: PositiveCount = 10
    """Disk of each server in GiB, where files lie on their way through it: more than the largest one."""
    migration_minutes: Annotated[int, Field(strict=True, ge=1, le=1440)] = 30
    """Minutes after which an upgrade of the database's schema counts as failed."""

    def rules(self) -> Iterator[Problem]:
        """Workers have room."""
        least = ceil(_GIB_OF_A_PROCESS * (self.workers + 1))
        if self.memory_gib < least:
            text = f"{self.memory_gib} given, must be at least {least} for {self.workers} workers: each takes 0.35"
            yield Problem(("memoryGib",), text, ("workers",))

    @property
    def secrets_needed(self) -> Mapping[str, str]:
        """The secrets of the stack that it needs, and what they are."""
        if isinstance(self.authentication, MlflowBasicAuthentication):
            return described("mlflowAdminPassword")
        return described("mlflowClientSecret")


def mlflow_problems(
    spec: MlflowSpec, *, has_bucket: bool, has_entry: bool, teams: Iterable[str] = ()
) -> Iterator[Problem]:
    """What does not hold between MLflow and the rest of a platform, below its own place in the stack file.

    Arguments:
        spec: MLflow.
        has_bucket: whether the platform has a model bucket.
        has_entry: whether the platform has an entry for people.
        teams: the teams that get a user.
    """
    if spec.artifacts.bucket is None and not has_bucket:
        reason = "the platform has no model bucket: give storage.modelBucket, or the name of a bucket that exists"
        yield Problem(("artifacts", "bucket"), f"missing: {reason}")
    if isinstance(spec.authentication, MlflowBasicAuthentication):
        if ADMIN in set(teams):
            text = f"a team is called {ADMIN}, which is the name of MLflow's administrator: call it something else"
            yield Problem(("authentication",), text)
    elif not has_entry:
        reason = "people sign in at the platform's entry: give gateway.entry, or take kind basic"
        yield Problem(("authentication", "kind"), f"openIdConnect given, but {reason}")
