"""A PostgreSQL database for the platform's own services: one that RDS runs, or one that exists."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple

import pulumi
import pulumi_aws as aws
from pydantic import Field

from eksml import names
from eksml.catalog import databases
from eksml.component import Component, Tags
from eksml.errors import Problem, SpecError, listed, nearest
from eksml.spec import Flag, HostName, KeyArn, Spec, pattern

_PORT = 5432
# A role of RDS's own has the rights of a superuser; this one may make databases and roles.
_MASTER_USER = "administrator"
# Free of charge; more of it costs money.
_INSIGHTS_DAYS = 7
_LOGS = ("postgresql", "upgrade")
_WINDOW_MINUTES = 30
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES = 24 * 60
_WEEK_MINUTES = 7 * _DAY_MINUTES

# What CloudWatch Logs takes: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
LogRetentionDays = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 3653]

_TIME = r"([01]\d|2[0-3]):[0-5]\d"
_DAY = f"({'|'.join(_DAYS)})"
DailyWindow = Annotated[str, pattern(rf"^{_TIME}-{_TIME}$", "a time span of each day in UTC, such as 02:00-02:30")]
WeeklyWindow = Annotated[
    str, pattern(rf"^{_DAY}:{_TIME}-{_DAY}:{_TIME}$", "a time span of each week in UTC, such as sun:03:00-sun:04:00")
]
DatabaseName = Annotated[
    str,
    pattern(r"^[a-z][a-z0-9_]{0,62}$", "1 to 63 lower-case letters, digits and underscores, beginning with a letter"),
]
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
    make_role: bool = False
    """Whether the secret is an administrator's, who makes a role for what uses the database."""


class ExistingDatabaseSpec(Spec):
    """A PostgreSQL database that exists, which the cluster's nodes reach."""

    kind: Literal["existing"] = "existing"
    host: HostName
    """Host name of the server."""
    port: Annotated[int, Field(strict=True, ge=1, le=65_535)] = _PORT
    """Port of the server."""
    database: DatabaseName
    """Name of the database, which exists."""
    secret_arn: SecretArn
    """ARN of a secret of Secrets Manager, JSON with `username` and `password`; the user owns the database."""
    key_arn: KeyArn | None = None
    """ARN of the KMS key that encrypts the secret; none given: AWS's own."""
    make_role: Flag = False
    """Whether the secret's user is an administrator, who makes a role named after what uses the database, such as
    `mlflow`, that only reads and writes rows; otherwise what uses the database signs in as the secret's user."""

    @property
    def access(self) -> DatabaseAccess:
        """How it is reached."""
        return DatabaseAccess(self.host, self.port, self.database, self.secret_arn, self.key_arn, self.make_role)


class PostgresqlSpec(Spec):
    """A PostgreSQL database that Amazon RDS runs. As it stands it suits production."""

    kind: Literal["rds"] = "rds"
    version: str = "17"
    """Major version of PostgreSQL."""
    instance_class: str = "db.t4g.medium"
    """Size of its machine, such as db.t4g.micro or db.m7g.large."""
    size_gib: Annotated[int, Field(strict=True)] = 20
    """Size of its gp3 volume in GiB; it cannot shrink."""
    most_size_gib: Annotated[int, Field(strict=True)] | None = 100
    """Size in GiB up to which the volume grows by itself, 10 % or more above sizeGib; null: it does not grow."""
    multi_az: Flag = True
    """Whether a standby in another zone takes over within a minute or two; it doubles the price."""
    backup_retention_days: Annotated[int, Field(strict=True, ge=0)] = 14
    """Days of which every second can be restored, 35 at the most; 0: none."""
    backup_window: DailyWindow = "02:00-02:30"
    """When the daily backup is made, in UTC."""
    maintenance_window: WeeklyWindow = "sun:03:00-sun:04:00"
    """When changes and updates that interrupt it are made, in UTC."""
    apply_immediately: Flag = False
    """Whether changes that interrupt it are made at once, instead of in the maintenance window."""
    automatic_minor_upgrades: Flag = True
    """Whether RDS takes new minor versions; if not, it is the one that the catalog pins."""
    allow_major_upgrade: Flag = False
    """Whether a changed version may be another major one: it is away for minutes, and there is no way back."""
    deletion_protection: Flag = True
    """Whether AWS refuses to delete it, until this has been set to false and applied."""
    skip_final_snapshot: Flag = False
    """Whether its data are gone with it, without a last snapshot; only without deletionProtection."""
    key_arn: KeyArn | None = None
    """ARN of the KMS key for data, password and metrics; by default those of AWS. It cannot change later."""
    rotate_password_after_days: Annotated[int, Field(strict=True, ge=1, le=1000)] = 7
    """Days after which RDS changes the administrator's password; what uses the database has a role of its own."""
    certificate_authority: str = "rds-ca-rsa2048-g1"
    """Who signs its certificate: rds-ca-rsa2048-g1, rds-ca-rsa4096-g1 or rds-ca-ecc384-g1."""
    performance_insights: Flag = True
    """Whether RDS keeps for a week which statements take how long, at no charge."""
    log_retention_days: LogRetentionDays = 30
    """Days to keep its logs in CloudWatch."""

    def rules(self) -> Iterator[Problem]:
        """What RDS takes."""
        facts = databases()
        yield from _known("version", self.version, facts.versions)
        yield from _known("instanceClass", self.instance_class, facts.instance_classes)
        yield from _known("certificateAuthority", self.certificate_authority, facts.certificate_authorities.names)
        yield from self._size_rules()
        if self.backup_retention_days > facts.backups.most_days:
            text = (
                f"{self.backup_retention_days} given, RDS keeps backups for {facts.backups.most_days} days at the most"
            )
            yield Problem(("backupRetentionDays",), text)
        if self.skip_final_snapshot and self.deletion_protection:
            yield Problem(
                ("skipFinalSnapshot",), "given, but deletionProtection is true: what is protected is not skipped"
            )
        yield from _window_problems(self.backup_window, self.maintenance_window)

    def _size_rules(self) -> Iterator[Problem]:
        limits = databases().storage
        if not limits.least_gib <= self.size_gib <= limits.most_gib:
            text = f"{self.size_gib} given, must be {limits.least_gib} to {limits.most_gib}"
            yield Problem(("sizeGib",), text)
        elif self.most_size_gib is not None:
            least = -(-self.size_gib * (100 + limits.least_growth_percent) // 100)
            if not least <= self.most_size_gib <= limits.most_gib:
                reason = f"{limits.least_growth_percent} % above sizeGib or more; null leaves the volume as it is"
                text = f"{self.most_size_gib} given, must be {least} to {limits.most_gib}: {reason}"
                yield Problem(("mostSizeGib",), text, depends_on=("sizeGib",))

    @property
    def engine_version(self) -> str:
        """What RDS is asked for: the major version where it takes minor ones by itself, else the pinned one."""
        return self.version if self.automatic_minor_upgrades else databases().versions[self.version].minor


class Postgresql(Component):
    """An encrypted PostgreSQL database in private subnets, which one security group reaches, by TLS only.

    RDS makes the administrator's password, keeps it in Secrets Manager and changes it: it is in no program, state or
    Plan. What uses the database should have the administrator make a role for it, as `Mlflow` does. Destroying
    the database leaves the snapshot NAME-final, which costs money until it is deleted; RDS refuses to make a second one
    of that name, so an earlier one has to be copied or deleted first.

    Raises SpecError where the subnets are of one zone only: RDS wants two, also for a database in one.

    Arguments:
        spec: the database.
        database: name of the first database on it.
        vpc_id: id of the VPC.
        private_subnets: private subnet ids by zone.
        client_security_group_id: id of the security group whose members reach it, such as that of the cluster's nodes.
        tags: tags for every AWS resource.

    Attributes:
        access: how it is reached.
        identifier: its name in RDS.
    """

    def __init__(
        self,
        name: str,
        spec: PostgresqlSpec,
        *,
        database: str,
        vpc_id: pulumi.Input[str],
        private_subnets: Mapping[str, pulumi.Input[str]],
        client_security_group_id: pulumi.Input[str],
        tags: Tags | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:storage:Postgresql", name, spec, opts, tags)
        if len(private_subnets) < 2:
            text = f"subnets of {listed(private_subnets) or 'no zone'} given, RDS wants those of two zones or more"
            raise SpecError([Problem(("network", "zones"), text)])
        self.identifier = _identifier(name)
        instance = aws.rds.Instance(
            name,
            identifier=self.identifier,
            db_name=database,
            **_settings(spec),
            final_snapshot_identifier=f"{self.identifier}-final",
            db_subnet_group_name=self._subnet_group(private_subnets).name,
            vpc_security_group_ids=[self._security_group(vpc_id, client_security_group_id).id],
            parameter_group_name=self._parameters(spec).name,
            tags=self.tagged(self.identifier),
            # Another one of its name cannot be made beside it.
            opts=self.child(depends_on=self._log_groups(spec), delete_before_replace=True),
        )
        secret_arn: pulumi.Output[str] = instance.master_user_secrets.apply(_arn_of_the_first)
        self._rotate(spec, secret_arn)
        self.access = DatabaseAccess(instance.address, _PORT, database, secret_arn, spec.key_arn, make_role=True)
        self.register_outputs({"host": self.access.host, "secretArn": secret_arn})

    def _subnet_group(self, private_subnets: Mapping[str, pulumi.Input[str]]) -> aws.rds.SubnetGroup:
        return aws.rds.SubnetGroup(
            self.resource_name,
            description=f"Private subnets for {self.identifier}",
            subnet_ids=list(private_subnets.values()),
            tags=self.tagged(self.resource_name),
            opts=self.child(),
        )

    def _security_group(
        self, vpc_id: pulumi.Input[str], client_security_group_id: pulumi.Input[str]
    ) -> aws.ec2.SecurityGroup:
        group = aws.ec2.SecurityGroup(
            self.resource_name,
            vpc_id=vpc_id,
            description="PostgreSQL from its clients",
            tags=self.tagged(self.resource_name),
            opts=self.child(),
        )
        # By itself, for the cluster that its clients are in takes as long to make as the database does.
        aws.vpc.SecurityGroupIngressRule(
            self.resource_name,
            security_group_id=group.id,
            referenced_security_group_id=client_security_group_id,
            ip_protocol="tcp",
            from_port=_PORT,
            to_port=_PORT,
            description="PostgreSQL from its clients",
            tags=self.tagged(self.resource_name),
            opts=self.child(),
        )
        return group

    def _parameters(self, spec: PostgresqlSpec) -> aws.rds.ParameterGroup:
        return aws.rds.ParameterGroup(
            self.resource_name,
            family=f"postgres{spec.version}",
            description=f"Parameters of {self.identifier}",
            parameters=[{"name": "rds.force_ssl", "value": "1"}],
            tags=self.tagged(self.resource_name),
            opts=self.child(),
        )

    def _log_groups(self, spec: PostgresqlSpec) -> list[pulumi.Resource]:
        # RDS would make these groups by itself, keep them for ever, and leave them behind on destroy.
        return [
            aws.cloudwatch.LogGroup(
                f"{self.resource_name}-{log}",
                name=f"/aws/rds/instance/{self.identifier}/{log}",
                retention_in_days=spec.log_retention_days,
                tags=self.tagged(f"{self.resource_name}-{log}"),
                opts=self.child(),
            )
            for log in _LOGS
        ]

    def _rotate(self, spec: PostgresqlSpec, secret_arn: pulumi.Output[str]) -> None:
        # Also for the seven days that RDS takes by itself: without this resource, one that was there before would end
        # the rotation as it goes.
        aws.secretsmanager.SecretRotation(
            self.resource_name,
            secret_id=secret_arn,
            rotation_rules={"automatically_after_days": spec.rotate_password_after_days},
            rotate_immediately=False,
            opts=self.child(),
        )


def _settings(spec: PostgresqlSpec) -> dict[str, Any]:
    """What the Spec alone says of the instance."""
    return {
        "engine": "postgres",
        "engine_version": spec.engine_version,
        "auto_minor_version_upgrade": spec.automatic_minor_upgrades,
        "allow_major_version_upgrade": spec.allow_major_upgrade,
        "instance_class": spec.instance_class,
        "multi_az": spec.multi_az,
        "storage_type": "gp3",
        "allocated_storage": spec.size_gib,
        "max_allocated_storage": spec.most_size_gib,
        "storage_encrypted": True,
        "kms_key_id": spec.key_arn,
        "username": _MASTER_USER,
        "manage_master_user_password": True,
        "master_user_secret_kms_key_id": spec.key_arn,
        "port": _PORT,
        "publicly_accessible": False,
        "ca_cert_identifier": spec.certificate_authority,
        "backup_retention_period": spec.backup_retention_days,
        "backup_window": spec.backup_window,
        "maintenance_window": spec.maintenance_window,
        "apply_immediately": spec.apply_immediately,
        "copy_tags_to_snapshot": True,
        "deletion_protection": spec.deletion_protection,
        "skip_final_snapshot": spec.skip_final_snapshot,
        "performance_insights_enabled": spec.performance_insights,
        **(
            {
                "performance_insights_retention_period": _INSIGHTS_DAYS,
                "performance_insights_kms_key_id": spec.key_arn,
            }
            if spec.performance_insights
            else {}
        ),
        "enabled_cloudwatch_logs_exports": list(_LOGS),
    }


def _arn_of_the_first(secrets: Any) -> str:
    # The simplest mocks of a user's tests know of none.
    return secrets[0].secret_arn if secrets else ""


def _identifier(name: str) -> str:
    """A name that RDS takes: at most 63 lower-case letters, digits and single hyphens, beginning with a letter."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return names.fitted(words if words[:1].isalpha() else f"database-{words}", 63)


def _known(field: str, given: str, known: Mapping[str, Any] | tuple[str, ...]) -> Iterator[Problem]:
    if given not in known:
        hint = nearest(given, known) or f", which has {', '.join(known)}"
        yield Problem((field,), f"'{given}' is not in the catalog{hint}")


def _window_problems(daily: str, weekly: str) -> Iterator[Problem]:
    """What RDS refuses: windows that are short or overlap.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
    """
    first, last = (_minutes(f"mon:{time}") for time in daily.split("-"))
    backup = (last - first) % _DAY_MINUTES
    begin, end = (_minutes(time) for time in re.split(r"-(?=[a-z])", weekly))
    maintenance = (end - begin) % _WEEK_MINUTES
    short = [
        Problem((field,), f"'{given}' given, must be {_WINDOW_MINUTES} minutes or longer")
        for field, given, length in (("backupWindow", daily, backup), ("maintenanceWindow", weekly, maintenance))
        if length < _WINDOW_MINUTES
    ]
    yield from short
    if not short and ((begin - first) % _DAY_MINUTES < backup or (first - begin) % _DAY_MINUTES < maintenance):
        yield Problem(("maintenanceWindow",), f"'{weekly}' overlaps backupWindow, {daily}")


def _minutes(moment: str) -> int:
    """The minutes since the beginning of a week."""
    day, hours, minutes = moment.split(":")
    return _DAYS.index(day) * _DAY_MINUTES + int(hours) * 60 + int(minutes)
