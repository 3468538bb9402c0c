"""Buckets, keys and secrets that a Plan names and does not make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from eksml.account import Account
from eksml.preflight.basis import Basis
from eksml.preflight.finding import Answer, Question, error, ok

_KEY = r"^(arn:[\w-]+:kms:[\w-]+:\d{12}:key/[\w-]+)$"
_SECRET = r"^(arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:\S+)$"

_LOST = error("is not there", "make it, or name one that is")


def questions(basis: Basis) -> Iterator[Question]:
    """Whether each is there."""
    for name in sorted(_buckets(basis)):
        yield Question(f"the bucket {name}", partial(_bucket, name))
    for arn in basis.named(_KEY):
        yield Question(f"the key {arn}", partial(_key, arn))
    for arn in basis.named(_SECRET):
        yield Question(f"the secret {arn}", partial(_secret, arn))


def _buckets(basis: Basis) -> set[str]:
    specs = (each.inputs.get("spec") for each in basis.whole.resources if each.package == "eksml")
    return {name for spec in specs for name in _values(spec, "bucket")} - basis.made


def _values(value: Any, key: str) -> Iterator[str]:
    for name, item in value.items() if isinstance(value, Mapping) else ():
        if name == key and isinstance(item, str):
            yield item
        yield from _values(item, key)


def _bucket(name: str, account: Account) -> Iterator[Answer]:
    found = account.find("s3", "head_bucket", "404", "NoSuchBucket", Bucket=name)
    if found is None:
        yield _LOST
        return
    region = found.get("BucketRegion", account.region)
    if region != account.region:
        yield error(f"is in {region}, and the stack in {account.region}", "take one of the same region")
    else:
        yield ok("there, and may be listed")


def _key(arn: str, account: Account) -> Iterator[Answer]:
    found = account.find("kms", "describe_key", "NotFoundException", KeyId=arn)
    state = found["KeyMetadata"]["KeyState"] if found else ""
    if not found:
        yield _LOST
    else:
        yield ok("enabled") if state == "Enabled" else error(f"is {state}", "enable it")


def _secret(arn: str, account: Account) -> Iterator[Answer]:
    found = account.find("secretsmanager", "describe_secret", "ResourceNotFoundException", SecretId=arn)
    if found is None:
        yield _LOST
    else:
        yield error("is being deleted", "restore it") if found.get("DeletedDate") else ok("there")
