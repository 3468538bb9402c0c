"""Whose credentials Pulumi takes: the AWS provider, as the stack file says, and the `aws` command for the cluster."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial

from eksml.account import Account
from eksml.errors import nearest
from eksml.preflight.basis import Basis
from eksml.preflight.finding import Answer, Question, error, not_known, ok, warning
from eksml.preflight.provider import KEYS

_WHO = ("aws", "sts", "get-caller-identity", "--output", "json")
_BOTH = (
    "leave aws:profile and aws:assumeRoles out, and choose a profile by AWS_PROFILE, which Pulumi and `aws` both see"
)


def questions(basis: Basis) -> Iterator[Question]:
    """Who asks, whether the provider takes the account, and as whom the API server will be asked."""
    yield Question("credentials", partial(_credentials, basis))
    if basis.provider.unknown:
        yield Question("the settings of the AWS provider", partial(_unknown, basis))
    role = _access_role(basis)
    if role:
        yield Question(f"the role {role}", partial(_role, role, basis))
    elif basis.cluster and basis.provider.signs_in_by_itself:
        yield Question("the credentials of the aws command", partial(_command, basis))


def _credentials(basis: Basis, account: Account) -> Iterator[Answer]:
    who, provider = account.identity, basis.provider
    yield ok(f"account {who.account}, as {who.arn}")
    allowed, forbidden = provider.allowed_account_ids, provider.forbidden_account_ids
    if allowed and who.account not in allowed:
        text = f"the account {who.account} is none of aws:allowedAccountIds ({', '.join(allowed)})"
        yield error(f"{text}: the provider refuses it", "sign in to one of them, or correct the setting")
    if who.account in forbidden:
        text = f"the account {who.account} is one of aws:forbiddenAccountIds"
        yield error(f"{text}: the provider refuses it", "sign in to another account, or correct the setting")
    if provider.not_followed:
        keys = " and ".join(f"aws:{key}" for key in provider.not_followed)
        yield not_known(
            f"{keys} of the stack file is not followed here, so Pulumi may be somebody else",
            "name a profile with the same rights: --aws-profile",
        )


def _unknown(basis: Basis, _account: Account) -> Iterator[Answer]:
    for key in basis.provider.unknown:
        if key == "assumeRole":
            yield error(
                "aws:assumeRole is no key of the provider any more", "set aws:assumeRoles, a list of such mappings"
            )
        else:
            text = f"aws:{key} is no key of the provider, which does not heed it{nearest(key, KEYS)}"
            yield warning(text, "correct it, or take it out")


def _access_role(basis: Basis) -> str | None:
    options = (basis.cluster.inputs.get("providerCredentialOpts") if basis.cluster else basis.existing_cluster) or {}
    return options.get("roleArn") or options.get("accessRoleArn")


def _role(role: str, basis: Basis, _account: Account) -> Iterator[Answer]:
    """As the kubeconfig does; what the command prints is a secret, and is not looked at."""
    name = basis.cluster.inputs.get("name") if basis.cluster else (basis.existing_cluster or {}).get("name")
    command = ("aws", "eks", "get-token", "--region", basis.region, "--cluster-name", str(name), "--role-arn", role)
    if basis.machine.said_by(command) is None:
        yield error(
            "the `aws` command cannot take it on, by which Pulumi reaches the API server",
            f"let whoever `{' '.join(_WHO[:3])}` says assume it, or correct cluster.accessRoleArn",
        )
    else:
        yield ok("the `aws` command can take it on, by which Pulumi reaches the API server")


def _command(basis: Basis, account: Account) -> Iterator[Answer]:
    """The API server knows who made the cluster and its administrators; the provider is one, `aws` perhaps another."""
    try:
        arn = str(json.loads(basis.machine.said_by(_WHO) or "")["Arn"])
    except (ValueError, KeyError, TypeError):
        yield error("it has none that AWS takes, and Pulumi reaches the API server with it", _BOTH)
        return
    administrators = (basis.platform.get("cluster") or {}).get("administrators") or ()
    if _principal(arn) == _principal(account.identity.arn):
        yield ok(f"it is {arn} too")
    elif _principal(arn) in map(_principal, administrators):
        yield ok(f"it is {arn}, one of cluster.administrators")
    elif basis.provider.not_followed:
        yield warning(f"it is {arn}: the API server lets in whoever makes the cluster, and administrators", _BOTH)
    else:
        yield error(f"it is {arn}, whom the API server does not let in: it did not make the cluster", _BOTH)


def _principal(arn: str) -> tuple[str, ...]:
    """The account, and the user or role without its path and without the session."""
    match = re.fullmatch(r"arn:[\w-]+:(?:iam|sts)::(\d+):(?:assumed-role/([^/]+)/.+|role/(?:.+/)?([^/]+)|(.+))", arn)
    return (match[1], match[2] or match[3] or match[4]) if match else (arn,)
