"""What the credentials may do, as IAM's simulator sees it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from eksml.preflight.account import Account, Refused

# So many actions are asked for at once.
_CHUNK = 50


class NotSimulated(Exception):  # noqa: N818
    """The simulator does not know these credentials; its text says why."""


def decisions(actions: Iterable[str], account: Account, resource: str = "*") -> dict[str, dict[str, Any]]:
    """The simulator's result for each action on a resource. Raises Refused or NotSimulated."""
    principal = _principal(account)
    wanted: Sequence[str] = sorted(set(actions))
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(wanted), _CHUNK):
        results = account.all(
            "iam",
            "simulate_principal_policy",
            "EvaluationResults",
            PolicySourceArn=principal,
            ActionNames=wanted[start : start + _CHUNK],
            ResourceArns=[resource],
        )
        found |= {each["EvalActionName"]: each for each in results}
    return found


def is_allowed(result: dict[str, Any] | None) -> bool:
    """Whether an action is allowed."""
    return bool(result) and result["EvalDecision"] == "allowed"


def is_root(account: Account) -> bool:
    """Whether these are the credentials of the account itself, which may do everything and cannot be simulated."""
    return account.identity.arn.endswith(":root")


def _principal(account: Account) -> str:
    """The user or role that the credentials are of; the simulator knows no sessions."""
    arn = account.identity.arn
    if ":user/" in arn:
        return arn
    match = re.fullmatch(r"arn:([\w-]+):sts::(\d+):assumed-role/([^/]+)/.+", arn)
    if not match:
        raise NotSimulated(f"the simulator knows users and roles, and these credentials are of {arn}")
    partition, number, role = match.groups()
    try:
        # A role may lie below a path, which the name of a session does not have.
        return str(account.ask("iam", "get_role", RoleName=role)["Role"]["Arn"])
    except Refused:
        return f"arn:{partition}:iam::{number}:role/{role}"
