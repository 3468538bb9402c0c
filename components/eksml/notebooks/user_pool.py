"""A user pool of Amazon Cognito: accounts for people, which somebody makes for each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Literal

import pulumi
import pulumi_aws as aws
from pydantic import Field

from eksml.component import Component, Tags
from eksml.errors import Problem
from eksml.spec import Flag, Spec, pattern

# https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-assign-domain-prefix.html
_RESERVED = ("aws", "amazon", "cognito")


class SecondFactor(StrEnum):
    """Whether people need a code of an authenticator app beside their password."""

    OFF = "off"
    """Nobody can have one."""
    OPTIONAL = "optional"
    """Whoever sets one up needs it from then on."""
    REQUIRED = "required"
    """Everybody sets one up at the first sign-in."""


class NewUserPoolSpec(Spec):
    """A user pool of its own, in which nobody can make an account by themselves."""

    kind: Literal["new"] = "new"
    domain_prefix: (
        Annotated[
            str,
            pattern(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", "at most 63 lower-case letters, digits and hyphens"),
        ]
        | None
    ) = None
    """Where people sign in: PREFIX.auth.REGION.amazoncognito.com, a name that nobody else in the region has; by default
    one that is made of the pool's id."""
    second_factor: SecondFactor = SecondFactor.OPTIONAL
    """Whether people need a code of an authenticator app too: off, optional or required."""
    password_length: Annotated[int, Field(strict=True, ge=8, le=99)] = 12
    """Characters that a password has at least."""
    deletion_protection: Flag = False
    """Whether AWS refuses to delete the pool with all accounts in it."""

    def rules(self) -> Iterator[Problem]:
        """Words that Cognito keeps for AWS."""
        for word in _RESERVED:
            if word in (self.domain_prefix or ""):
                text = f"'{self.domain_prefix}' given, must not contain '{word}': Cognito keeps it for AWS"
                yield Problem(("domainPrefix",), text)


class UserPool(Component):
    """A user pool, the page where people sign in, and the client that an application is to it.

    An account is made by `aws cognito-idp admin-create-user`, which mails a password that holds once.

    Arguments:
        spec: the pool.
        region: the AWS region, for the address of the page.
        callback_urls: where people may be sent back to once they have signed in.
        tags: tags for every AWS resource that can have them.

    Attributes:
        user_pool_id: id of the pool.
        domain: host of the page.
        client_id, client_secret: of the client; the secret is one for Pulumi too.
    """

    def __init__(
        self,
        name: str,
        spec: NewUserPoolSpec,
        *,
        region: str,
        callback_urls: Sequence[str],
        tags: Tags | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:notebooks:UserPool", name, spec, opts, tags)
        pool = aws.cognito.UserPool(
            name,
            admin_create_user_config={"allow_admin_create_user_only": True},
            auto_verified_attributes=["email"],
            account_recovery_setting={"recovery_mechanisms": [{"name": "verified_email", "priority": 1}]},
            # JupyterHub takes names that differ in case only for one user.
            username_configuration={"case_sensitive": False},
            password_policy=aws.cognito.UserPoolPasswordPolicyArgs(
                minimum_length=spec.password_length,
                require_lowercase=True,
                require_numbers=True,
                require_symbols=False,
                require_uppercase=True,
                temporary_password_validity_days=7,
            ),
            mfa_configuration=_MFA[spec.second_factor],
            software_token_mfa_configuration=None if spec.second_factor is SecondFactor.OFF else {"enabled": True},
            deletion_protection="ACTIVE" if spec.deletion_protection else "INACTIVE",
            tags=self.tagged(name),
            opts=self.child(),
        )
        prefix: pulumi.Input[str] = spec.domain_prefix or pool.id.apply(_prefix_of)
        page = aws.cognito.UserPoolDomain(name, domain=prefix, user_pool_id=pool.id, opts=self.child())
        client = aws.cognito.UserPoolClient(
            name,
            user_pool_id=pool.id,
            generate_secret=True,
            allowed_oauth_flows_user_pool_client=True,
            allowed_oauth_flows=["code"],
            allowed_oauth_scopes=["openid"],
            supported_identity_providers=["COGNITO"],
            callback_urls=list(callback_urls),
            # No password goes past the page.
            explicit_auth_flows=["ALLOW_REFRESH_TOKEN_AUTH"],
            prevent_user_existence_errors="ENABLED",
            # Whoever gets the client gets a page to sign in at.
            opts=self.child(depends_on=[page]),
        )
        self.user_pool_id: pulumi.Output[str] = pool.id
        self.domain = pulumi.Output.concat(prefix, f".auth.{region}.amazoncognito.com")
        self.client_id: pulumi.Output[str] = client.id
        self.client_secret: pulumi.Output[str] = pulumi.Output.secret(client.client_secret)
        self.register_outputs({"userPoolId": self.user_pool_id, "domain": self.domain, "clientId": self.client_id})


_MFA = {SecondFactor.OFF: "OFF", SecondFactor.OPTIONAL: "OPTIONAL", SecondFactor.REQUIRED: "ON"}


def _prefix_of(pool_id: str) -> str:
    """A name that nobody else has, of what follows the region in a pool's id."""
    return f"notebooks-{pool_id.rpartition('_')[2].lower()}"
