"""The roles that AWS's own services have in an account, once they were used there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from eksml import catalog
from eksml.catalog import ServiceRole
from eksml.preflight.account import Account, Refused
from eksml.preflight.basis import Basis, Pool
from eksml.preflight.finding import Answer, Question, error, ok, warning
from eksml.preflight.simulation import NotSimulated, decisions, is_allowed, is_root

_SPOT = "spot.amazonaws.com"
_CREATE = "iam:CreateServiceLinkedRole"


def questions(basis: Basis) -> Iterator[Question]:
    """Whether each role is there, or will be made."""
    spot = [pool for pool in basis.pools if "spot" in pool.capacity and not pool.is_fixed]
    for name, role in catalog.service_roles().items():
        if role.service == _SPOT:
            if spot:
                yield Question(f"the role {name}", partial(_spot, name, spot))
        elif any(basis.whole.of_type(each) for each in role.types):
            yield Question(f"the role {name}", partial(_role, name, role))


def _spot(name: str, pools: list[Pool], account: Account) -> Iterator[Answer]:
    if _exists(name, account):
        yield ok("there")
        return
    advice = f"aws iam create-service-linked-role --aws-service-name {_SPOT}"
    only = [pool.name for pool in pools if pool.capacity == {"spot"}]
    if only:
        yield error(f"not there, and Karpenter may not make it: {', '.join(only)} gets no nodes", advice)
    else:
        names = ", ".join(pool.name for pool in pools)
        yield warning(f"not there, and Karpenter may not make it: {names} gets no spot nodes", advice)


def _role(name: str, role: ServiceRole, account: Account) -> Iterator[Answer]:
    if _exists(name, account):
        yield ok("there")
        return
    advice = f"allow {_CREATE}, or have it made: aws iam create-service-linked-role --aws-service-name {role.service}"
    arn = (
        f"arn:{catalog.partition(account.region)}:iam::{account.identity.account}:role/aws-service-role/"
        f"{role.service}/{name}"
    )
    try:
        may = (
            role.made_by == "controller"
            or is_root(account)
            or is_allowed(decisions([_CREATE], account, arn).get(_CREATE))
        )
    except (NotSimulated, Refused):
        yield warning(f"not there; AWS makes it for those who may {_CREATE}, which is not known of you", advice)
        return
    if may:
        yield ok("not there; AWS makes it with the first use")
    else:
        yield error(f"not there, and you may not {_CREATE}", advice)


def _exists(name: str, account: Account) -> bool:
    try:
        account.ask("iam", "get_role", RoleName=name)
    except Refused as refusal:
        if refusal.code not in ("NoSuchEntity", "NoSuchEntityException"):
            raise
        return False
    return True
