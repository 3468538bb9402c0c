"""How people sign in to JupyterHub, and what its authenticator is told of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pulumi
from pydantic import Field

from eksml.errors import Problem, repetitions
from eksml.notebooks.user_pool import NewUserPoolSpec
from eksml.spec import Flag, HostName, HttpsUrl, Spec, pattern

CLIENT_SECRET = "jupyterHubClientSecret"
PASSWORD = "jupyterHubPassword"
"""Names of the Pulumi secrets, without `eksml:`."""

# Of the environment of the hub; OAuthenticator reads the first by itself.
CLIENT_SECRET_VARIABLE = "OAUTH_CLIENT_SECRET"
PASSWORD_VARIABLE = "JUPYTERHUB_PASSWORD"

_READ_PASSWORD = f'import os\nc.SharedPasswordAuthenticator.user_password = os.environ["{PASSWORD_VARIABLE}"]\n'

# JupyterHub compares names in lower case.
UserName = Annotated[str, pattern(r"^[a-z0-9][a-z0-9._@+-]{0,127}$", "the name of a user, in lower case")]
_Claim = Annotated[str, Field(min_length=1, max_length=128)]
ClientId = Annotated[
    str,
    pattern(r"^[A-Za-z0-9_.:/@-]+$", "the id of an OAuth client: letters, digits and _.:/@-"),
    Field(max_length=255),
]
_Organization = Annotated[str, pattern(r"^[A-Za-z0-9-]+(:[A-Za-z0-9._-]+)?$", "ORGANIZATION, or ORGANIZATION:TEAM")]
_Button = Annotated[str, pattern(r"^[A-Za-z0-9 .-]{1,40}$", "at most 40 letters, digits, spaces, dots and hyphens")]
_Scope = Annotated[str, pattern(r"^\S+$", "a scope without spaces")]
_IN_GROUP = "allowedGroups"


class ProviderAuthentication(Spec):
    """What sign-in by a provider always says: who is let in, of those that it knows. JupyterHub lets in nobody else."""

    users: tuple[UserName, ...] = ()
    """Names of users who are let in, whatever else they belong to."""
    admins: tuple[UserName, ...] = ()
    """Names of users who are let in, see all others, and may stop and enter their servers."""

    def rules(self) -> Iterator[Problem]:
        """Nobody stands twice."""
        yield from repetitions(("users",), self.users)
        yield from repetitions(("admins",), self.admins)

    @property
    def secrets_needed(self) -> dict[str, str]:
        """By name without `eksml:`, the Pulumi secrets that it cannot do without, and what each is."""
        return {CLIENT_SECRET: f"the client secret with which JupyterHub signs people in by {self.title}"}

    @property
    def title(self) -> str:
        """What people sign in with."""
        raise NotImplementedError

    def _people(self) -> dict[str, list[str]]:
        lists = {"allowed_users": list(self.users), "admin_users": list(self.admins)}
        return {name: people for name, people in lists.items() if people}


def _nobody(*fields: str) -> Problem:
    return Problem((), f"lets nobody in: give {', '.join(fields[:-1])} or {fields[-1]}")


class GitHubAuthentication(ProviderAuthentication):
    """People sign in with GitHub, by an OAuth app of yours there."""

    kind: Literal["github"] = "github"
    client_id: ClientId
    """Client ID of the OAuth app, whose callback URL is `https://jupyter.DOMAIN/hub/oauth_callback`."""
    organizations: tuple[_Organization, ...] = ()
    """Organizations whose members are let in, or teams of them as ORGANIZATION:TEAM."""

    def rules(self) -> Iterator[Problem]:
        """Somebody is let in."""
        yield from super().rules()
        yield from repetitions(("organizations",), self.organizations)
        if not (self.organizations or self.users or self.admins):
            yield _nobody("organizations", "users", "admins")

    @property
    def title(self) -> str:
        """What people sign in with."""
        return "GitHub"

    def hub_config(self, callback_url: str) -> dict[str, Any]:
        """What stands in `hub.config` of the chart."""
        # Who is in an organization shows only to those who were allowed to read it.
        of_organizations = (
            {"allowed_organizations": list(self.organizations), "scope": ["read:org"]} if self.organizations else {}
        )
        traits = {"client_id": self.client_id, "oauth_callback_url": callback_url, **of_organizations}
        return _with_authenticator("github", "GitHubOAuthenticator", {**traits, **self._people()})


class ExistingUserPoolSpec(Spec):
    """A Cognito user pool that exists, with an app client of yours in it that has a secret."""

    kind: Literal["existing"] = "existing"
    domain: HostName
    """Host where people sign in, such as research.auth.us-west-2.amazoncognito.com, or a domain of your own."""
    client_id: ClientId
    """Id of the app client, which allows the code grant, the scope openid, and JupyterHub's callback URL."""


class CognitoAuthentication(ProviderAuthentication):
    """People sign in with a user pool of Amazon Cognito."""

    kind: Literal["cognito"] = "cognito"
    user_pool: Annotated[NewUserPoolSpec | ExistingUserPoolSpec, Field(discriminator="kind")]
    """The user pool: a new one, in which you make each user, or an existing one."""
    allowed_groups: tuple[_Claim, ...] = ()
    """Groups of the pool whose members are let in; with no groups and no users, the whole of a new pool is."""

    def rules(self) -> Iterator[Problem]:
        """Somebody is let in; in an existing pool anybody may have made an account."""
        yield from super().rules()
        yield from repetitions((_IN_GROUP,), self.allowed_groups)
        if isinstance(self.user_pool, ExistingUserPoolSpec) and not (self.allowed_groups or self.users or self.admins):
            yield _nobody(_IN_GROUP, "users", "admins")

    @property
    def secrets_needed(self) -> dict[str, str]:
        """None with a new user pool, which makes its own."""
        return super().secrets_needed if isinstance(self.user_pool, ExistingUserPoolSpec) else {}

    @property
    def title(self) -> str:
        """What people sign in with."""
        return "Amazon Cognito"

    def hub_config(self, callback_url: str, domain: pulumi.Input[str], client_id: pulumi.Input[str]) -> dict[str, Any]:
        """What stands in `hub.config` of the chart."""
        lets_all_in = isinstance(self.user_pool, NewUserPoolSpec) and not (self.allowed_groups or self.users)
        traits = {
            "client_id": client_id,
            "oauth_callback_url": callback_url,
            "login_service": self.title,
            "authorize_url": pulumi.Output.concat("https://", domain, "/oauth2/authorize"),
            "token_url": pulumi.Output.concat("https://", domain, "/oauth2/token"),
            # The groups are in the token only.
            "userdata_from_id_token": True,
            "username_claim": "cognito:username",
            "scope": ["openid"],
            **_in_groups(self.allowed_groups, "cognito:groups"),
            **({"allow_all": True} if lets_all_in else {}),
        }
        return _with_authenticator("generic-oauth", "GenericOAuthenticator", {**traits, **self._people()})


class OpenIdConnectAuthentication(ProviderAuthentication):
    """People sign in with any identity provider that speaks OpenID Connect.

    Its addresses are in its document at ISSUER/.well-known/openid-configuration. It must allow
    `https://jupyter.DOMAIN/hub/oauth_callback` as a redirect.
    """

    kind: Literal["openIdConnect"] = "openIdConnect"
    client_id: ClientId
    """Id of the client that JupyterHub is to the provider."""
    authorization_endpoint: HttpsUrl
    """Where people sign in."""
    token_endpoint: HttpsUrl
    """Where JupyterHub gets tokens."""
    user_info_endpoint: HttpsUrl
    """Where JupyterHub learns who it is."""
    sign_in_with: _Button = "single sign-on"
    """What the button says that people sign in with."""
    scopes: tuple[_Scope, ...] = ("openid", "profile", "email")
    """What is asked of the provider."""
    username_claim: _Claim = "preferred_username"
    """What the provider says that is the name of the user here; nobody may be able to change their own, or take one."""
    groups_claim: _Claim = "groups"
    """What the provider says that lists the user's groups; dots lead deeper, as in realm_access.roles."""
    allowed_groups: tuple[_Claim, ...] = ()
    """Groups whose members are let in."""

    def rules(self) -> Iterator[Problem]:
        """Somebody is let in."""
        yield from super().rules()
        yield from repetitions((_IN_GROUP,), self.allowed_groups)
        if not (self.allowed_groups or self.users or self.admins):
            yield _nobody(_IN_GROUP, "users", "admins")
        if "openid" not in self.scopes:
            yield Problem(("scopes",), "must have openid, without which it is not OpenID Connect")

    @property
    def title(self) -> str:
        """What people sign in with."""
        return self.sign_in_with

    def hub_config(self, callback_url: str) -> dict[str, Any]:
        """What stands in `hub.config` of the chart."""
        traits = {
            "client_id": self.client_id,
            "oauth_callback_url": callback_url,
            "login_service": self.sign_in_with,
            "authorize_url": self.authorization_endpoint,
            "token_url": self.token_endpoint,
            "userdata_url": self.user_info_endpoint,
            "username_claim": self.username_claim,
            "scope": list(self.scopes),
            **_in_groups(self.allowed_groups, self.groups_claim),
        }
        return _with_authenticator("generic-oauth", "GenericOAuthenticator", {**traits, **self._people()})


class DummyAuthentication(Spec):
    """Whoever knows one password signs in as anybody: for trying things out, not for work."""

    kind: Literal["dummy"] = "dummy"
    for_development_only: Flag = False
    """Must be true: that you know that everybody can read and change what everybody else has."""

    def rules(self) -> Iterator[Problem]:
        """It is meant so."""
        if not self.for_development_only:
            reason = "with dummy authentication everybody is everybody; for people to work with, take another kind"
            yield Problem(("forDevelopmentOnly",), f"false, must be true: {reason}")

    @property
    def secrets_needed(self) -> dict[str, str]:
        """By name without `eksml:`, the Pulumi secrets that it cannot do without, and what each is."""
        return {PASSWORD: "the one password of JupyterHub, of at least 8 characters"}

    @property
    def title(self) -> str:
        """What people sign in with."""
        return "any name and the one password"

    def hub_config(self) -> dict[str, Any]:
        """What stands in `hub.config` of the chart."""
        # JupyterHub's own dummy authenticator needs no password, and its password is deprecated.
        return _with_authenticator("shared-password", "SharedPasswordAuthenticator", {"allow_all": True})

    @property
    def extra_config(self) -> dict[str, str]:
        """What stands in `hub.extraConfig`: the authenticator takes its password from no variable by itself."""
        return {"password": _READ_PASSWORD}


Authentication = Annotated[
    GitHubAuthentication | CognitoAuthentication | OpenIdConnectAuthentication | DummyAuthentication,
    Field(discriminator="kind"),
]


def _in_groups(groups: tuple[str, ...], claim: str) -> dict[str, Any]:
    if not groups:
        return {}
    # Without the first, OAuthenticator refuses the others.
    return {
        "manage_groups": True,
        "auth_state_groups_key": f"oauth_user.{claim}",
        "allowed_groups": list(groups),
    }


def _with_authenticator(entry_point: str, class_name: str, traits: dict[str, Any]) -> dict[str, Any]:
    return {"JupyterHub": {"authenticator_class": entry_point}, class_name: traits}
