"""Whether a database comes back."""

from collections.abc import Iterator

from eksml.checks.finding import Found
from eksml.plan import Plan


def database_recoverable(plan: Plan) -> Iterator[Found]:
    """Every database has backups, and leaves a last snapshot where nothing keeps it from being deleted."""
    for database in plan.of_type("aws:rds/instance:Instance"):
        if not database.inputs.get("backupRetentionPeriod"):
            yield Found(database, "has no backups: set backupRetentionPeriod to a week or more")
        if database.inputs.get("skipFinalSnapshot") is True and not database.inputs.get("deletionProtection"):
            yield Found(
                database, "is deleted without a last snapshot: set deletionProtection, or skipFinalSnapshot to false"
            )
