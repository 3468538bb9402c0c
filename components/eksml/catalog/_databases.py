"""Amazon RDS for PostgreSQL: versions, instance classes and limits."""

from functools import cache

from eksml.catalog._facts import Fact, SourcedFact, load


class DatabaseVersion(SourcedFact):
    """A major version of PostgreSQL, and the minor one that is pinned of it."""

    minor: str


class CertificateAuthorities(SourcedFact):
    """Who may sign the certificate of a database, by the names that RDS gives them."""

    names: tuple[str, ...]


class DatabaseStorage(SourcedFact):
    """The limits of a gp3 volume of a database."""

    least_gib: int
    most_gib: int
    least_growth_percent: int
    """How far the limit of a volume that grows by itself is above its size, at the least."""


class DatabaseBackups(SourcedFact):
    """For how long backups are kept at the most."""

    most_days: int


class DatabaseInstanceClass(SourcedFact):
    """The size of a database's machine."""

    vcpu: int
    memory_gib: float
    is_burstable: bool
    """Whether it runs at full speed for a while only, or for an extra charge."""


class Databases(Fact):
    """What is known of Amazon RDS for PostgreSQL."""

    versions: dict[str, DatabaseVersion]
    certificate_authorities: CertificateAuthorities
    storage: DatabaseStorage
    backups: DatabaseBackups
    instance_classes: dict[str, DatabaseInstanceClass]


@cache
def databases() -> Databases:
    """What is known of Amazon RDS for PostgreSQL."""
    return Databases.model_validate(load("databases.yaml"))
