"""What the credentials may do, as IAM's simulator sees it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from eksml import catalog
from eksml.account import Account, Refused

# So many actions are asked for at once.
_CHUNK = 50
# Services without regions of their own, whose requests have that of their endpoint:
# https://docs.aws.amazon.com/general/latest/gr/iam-service.html
_GLOBAL = ("budgets", "iam", "route53")
_GLOBAL_REGIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}


class NotSimulated(Exception):  # noqa: N818
    """The simulator does not know these credentials; its text says why."""


class Decision(NamedTuple):
    """What the simulator says of an action on any of some resources."""

    is_allowed: bool
    untold: tuple[str, ...]
    """What a denial may rest on: keys of conditions that only the request itself has."""
    is_of_organization: bool
    """Whether an SCP denies it."""


def decisions(actions: Iterable[str], account: Account, resources: Sequence[str] = ("*",)) -> dict[str, Decision]:
    """What the simulator says of each action. Raises Refused or NotSimulated."""
    principal = _principal(account)
    by_region: defaultdict[str, list[str]] = defaultdict(list)
    everywhere = _GLOBAL_REGIONS[catalog.partition(account.region)]
    for action in sorted(set(actions)):
        by_region[everywhere if action.startswith(_GLOBAL) else account.region].append(action)
    results: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for region, wanted in by_region.items():
        # Policies of organizations that deny regions would deny a request that is from none.
        context = [{"ContextKeyName": "aws:RequestedRegion", "ContextKeyType": "string", "ContextKeyValues": [region]}]
        for start in range(0, len(wanted), _CHUNK):
            for each in account.all(
                "iam",
                "simulate_principal_policy",
                "EvaluationResults",
                PolicySourceArn=principal,
                ActionNames=wanted[start : start + _CHUNK],
                ResourceArns=list(resources),
                ContextEntries=context,
            ):
                results[each["EvalActionName"]].append(each)
    return {action: _decision(results[action]) for wanted in by_region.values() for action in wanted}


def _decision(results: Iterable[dict[str, Any]]) -> Decision:
    """Of all resources that were asked for at once, the simulator answers apart, or below one answer."""
    parts = [part for each in results for part in (each, *each.get("ResourceSpecificResults", ()))]
    return Decision(
        is_allowed=any("allowed" in (part.get("EvalDecision"), part.get("EvalResourceDecision")) for part in parts),
        untold=tuple(sorted({key for part in parts for key in part.get("MissingContextValues", ())})),
        is_of_organization=any(
            (part.get("OrganizationsDecisionDetail") or {}).get("AllowedByOrganizations") is False for part in parts
        ),
    )


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
