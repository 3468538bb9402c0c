"""The roles that AWS's own services have in an account, once they were used there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from eksml import catalog
from eksml.account import Account, Refused
from eksml.catalog import ServiceRole
from eksml.preflight.basis import Basis, Pool
from eksml.preflight.finding import Answer, Question, error, ok, warning
from eksml.preflight.simulation import NotSimulated, decisions, is_root

_SPOT = "spot.amazonaws.com"
_CREATE = "iam:CreateServiceLinkedRole"
_LATER = "not there; AWS makes it with the first use"


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
    if role.made_by == "controller" or is_root(account):
        yield ok(_LATER)
        return
    try:
        decision = decisions([_CREATE], account, [arn])[_CREATE]
    except (NotSimulated, Refused):
        decision = None
    if decision and decision.is_allowed:
        yield ok(_LATER)
    elif decision and not decision.untold:
        yield error(f"not there, and you may not {_CREATE}", advice)
    else:
        yield warning(f"not there; AWS makes it for those who may {_CREATE}, which is not known of you", advice)


def _exists(name: str, account: Account) -> bool:
    return account.find("iam", "get_role", "NoSuchEntity", "NoSuchEntityException", RoleName=name) is not None
