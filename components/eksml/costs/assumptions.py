"""What no stack file says and the bill depends on: how much is used. Each assumption can be changed."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field
from pydantic.alias_generators import to_camel

from eksml.spec import Spec

ESTIMATE = "estimate"
"""The source of a figure that is ours: change it where yours is known."""


def amount(unit: str, most: float = 1_000_000, source: str = ESTIMATE, least: float = 0) -> Any:
    """The field of an assumed amount: its unit, its bounds, and where the default comes from."""
    return Field(strict=True, ge=least, le=most, json_schema_extra={"unit": unit, "source": source})


class Assumption(NamedTuple):
    """One assumption, as it is shown."""

    name: str
    value: Any
    unit: str
    what: str
    source: str
    is_default: bool

    @property
    def in_words(self) -> str:
        """The assumption as a person reads it."""
        value = self.value
        if isinstance(value, Mapping):
            value = ", ".join(f"{key} {amount:.12g}" for key, amount in value.items())
        elif isinstance(value, float | int):
            value = f"{value:.12g}"
        return f"{self.name} = {value} {self.unit}{'' if self.is_default else ' (changed)'}: {self.what}"

    def as_json(self) -> dict[str, Any]:
        """The assumption as plain data."""
        value = str(self.value) if isinstance(self.value, date) else self.value
        return {"name": self.name, "value": value, "unit": self.unit, "what": self.what, "source": self.source}


class Assumed(Spec):
    """The base of what is assumed: every field has a unit and a source."""

    def listed(self) -> tuple[Assumption, ...]:
        """Every assumption, with its value."""
        return tuple(self._listed(name) for name in type(self).model_fields)

    def _listed(self, name: str) -> Assumption:
        field: Any = type(self).model_fields[name]
        about = field.json_schema_extra
        value = getattr(self, name)
        what = " ".join((field.description or "").split())
        is_default = value == field.get_default(call_default_factory=True)
        return Assumption(to_camel(name), value, about["unit"], what, about["source"], is_default)


def _day(given: Any) -> date | None:
    try:
        return given if given is None or isinstance(given, date) else date.fromisoformat(given)
    except (TypeError, ValueError):
        raise ValueError("must be a day such as 2027-09-01") from None


class Assumptions(Assumed):
    """How much of what is charged by use is used in a month, and when that month is."""

    job_hours_per_day: Annotated[float, amount("hours/day", 24)] = 4
    """Hours a day for which each job of the program runs; an elastic pool with GPUs, or of which a team has a quota, is
    full of jobs for so long, unless a server of the program needs it all day."""
    awake_hours_per_day: Annotated[float, amount("hours/day", 24)] = 8
    """Hours a day for which a model server that may sleep is awake."""
    notebook_people: Annotated[float, amount("people", 100_000)] = 10
    """How many people have a home for their notebooks, where each has a volume of their own."""
    nat_gb: Annotated[float, amount("GB/month")] = 500
    """Data through all NAT gateways together: images, packages, models from a hub."""
    endpoint_gb: Annotated[float, amount("GB/month")] = 100
    """Data through each interface endpoint."""
    between_zones_gb: Annotated[float, amount("GB/month")] = 200
    """Data between zones, charged in both directions."""
    internet_gb: Annotated[float, amount("GB/month")] = 100
    """Data to the internet, of which the first 100 GB of an account are free."""
    cluster_log_gb: Annotated[float, amount("GB/month")] = 20
    """Logs of a cluster that each log group takes in: of its control plane, most of them audits, or of its pods."""
    log_gb: Annotated[float, amount("GB/month")] = 2
    """Logs that each other log group takes in, such as those of a database."""
    bucket_gb: Annotated[float, amount("GB")] = 500
    """What each bucket holds."""
    bucket_writes: Annotated[float, amount("thousand requests/month")] = 100
    """Requests that write to each bucket or list it."""
    bucket_reads: Annotated[float, amount("thousand requests/month")] = 1000
    """Requests that read from each bucket."""
    file_system_gb: Annotated[float, amount("GB")] = 200
    """What each EFS file system holds."""
    file_system_read_gb: Annotated[float, amount("GB/month")] = 200
    """Data read from each EFS file system with elastic throughput."""
    file_system_written_gb: Annotated[float, amount("GB/month")] = 100
    """Data written to each EFS file system with elastic throughput."""
    load_balancer_units: Annotated[float, amount("capacity units")] = 1
    """What each load balancer uses on average, of connections, data or rules, whichever is most."""
    database_backup_gb: Annotated[
        float,
        amount("GB", source="backups up to the size of a database are free: https://aws.amazon.com/rds/pricing/"),
    ] = 0
    """Backups of each database beyond its own size."""
    key_requests: Annotated[float, amount("ten thousand requests/month")] = 10
    """Requests to each KMS key."""
    secret_requests: Annotated[float, amount("ten thousand requests/month")] = 5
    """Requests for each secret of Secrets Manager."""
    queue_requests: Annotated[float, amount("million requests/month")] = 0.5
    """Requests to each queue: Karpenter asks its own every 20 seconds, from each replica."""
    image_gb: Annotated[float, amount("GB")] = 50
    """What each image repository holds."""
    active_users: Annotated[float, amount("users/month")] = 100
    """People who sign in to each Cognito user pool."""
    on: Annotated[date | None, BeforeValidator(_day), Field(json_schema_extra={"unit": "date", "source": "today"})] = (
        None
    )
    """The day that the bill is for, which decides about extended support; today where none is named."""


class Consulted:
    """Assumptions, and which of them somebody asked for."""

    def __init__(self, assumptions: Assumptions) -> None:
        self._assumptions = assumptions
        self.names: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.names.add(to_camel(name))
        return getattr(self._assumptions, name)
