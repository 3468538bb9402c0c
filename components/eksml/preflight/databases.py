"""Whether RDS offers the databases of a Plan: their version on their instance class, in their region."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from eksml.account import Account
from eksml.plan import Resource
from eksml.preflight.basis import Basis
from eksml.preflight.finding import Answer, Question, error, ok


def questions(basis: Basis) -> Iterator[Question]:
    """Whether each database can be ordered."""
    for resource in basis.whole.of_type("aws:rds/instance:Instance"):
        yield Question(f"the database {resource.name}", partial(_offered, resource))


def _offered(resource: Resource, account: Account) -> Iterator[Answer]:
    inputs = resource.inputs
    engine, version, kind = inputs["engine"], str(inputs["engineVersion"]), inputs["instanceClass"]
    options = account.all(
        "rds",
        "describe_orderable_db_instance_options",
        "OrderableDBInstanceOptions",
        Engine=engine,
        DBInstanceClass=kind,
        Vpc=True,
    )
    what = f"{engine} {version} on {kind}"
    fitting = [each for each in options if _is(each["EngineVersion"], version)]
    if not options:
        yield error(f"{kind} is not offered for {engine} in {account.region}", "take another instanceClass")
    elif not fitting:
        newest = sorted({each["EngineVersion"] for each in options}, key=_numbers, reverse=True)[:3]
        advice = f"take one of {', '.join(newest)}, or another instanceClass, or a newer eksml"
        yield error(f"{what} is not offered in {account.region}", advice)
    elif inputs.get("multiAz") and not any(each.get("MultiAZCapable") for each in fitting):
        yield error(f"{what} has no standby in {account.region}", "take another instanceClass")
    elif not any(_has_storage(each, inputs.get("storageType")) for each in fitting):
        yield error(f"{what} has no storage of type {inputs.get('storageType')}", "take another instanceClass")
    else:
        yield ok(f"{what} is offered in {account.region}")


def _is(offered: str, version: str) -> bool:
    """Whether an offered version is the one that is wanted, or of the major version that is."""
    return offered == version or offered.startswith(f"{version}.")


def _has_storage(option: dict[str, Any], wanted: str | None) -> bool:
    return wanted is None or option.get("StorageType", wanted) == wanted


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdecimal()]
