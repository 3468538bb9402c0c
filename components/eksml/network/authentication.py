"""Who is let through by a load balancer: people who log in, or programs with a token."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from eksml.errors import Problem
from eksml.spec import HttpsUrl, ObjectName, Spec


class OpenIdConnect(Spec):
    """People log in with an identity provider, in a browser.

    Its endpoints are in the provider's document at ISSUER/.well-known/openid-configuration. The provider must allow
    `https://HOST/oauth2/idpresponse` as a redirect, and the load balancer must reach it.
    """

    kind: Literal["openIdConnect"] = "openIdConnect"
    issuer: HttpsUrl
    """The provider's issuer identifier."""
    authorization_endpoint: HttpsUrl
    """Where people log in."""
    token_endpoint: HttpsUrl
    """Where the load balancer gets tokens."""
    user_info_endpoint: HttpsUrl
    """Where the load balancer learns who it is."""
    secret: ObjectName
    """Name of a Secret in the team's namespace, with clientID and clientSecret, which somebody makes."""
    scope: str = "openid"
    """What is asked of the provider, separated by spaces."""
    session_hours: Annotated[int, Field(strict=True, ge=1, le=168)] = 12
    """Hours for which a login holds."""


class JwtClaim(Spec):
    """What a token must say."""

    name: Annotated[str, Field(min_length=1)]
    """Name of the claim, such as aud, client_id or scope; iss, exp, nbf and iat are judged anyway."""
    values: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=256)], ...], Field(min_length=1, max_length=10)
    ]
    """Values of which it must have one."""
    format: Literal["singleString", "stringArray", "spaceSeparatedValues"] = "singleString"
    """How the provider writes the claim."""

    def rules(self) -> Iterator[Problem]:
        """The load balancer judges four claims by itself, and refuses to be told of them."""
        if self.name in ("exp", "iss", "nbf", "iat"):
            yield Problem(("name",), f"'{self.name}' given, which the load balancer judges anyway: take it away")


class JsonWebToken(Spec):
    """Programs show a token of an identity provider with each request, signed by RS256."""

    kind: Literal["jwt"] = "jwt"
    issuer: Annotated[HttpsUrl, Field(max_length=256)]
    """What the token must say in iss."""
    jwks_endpoint: Annotated[HttpsUrl, Field(max_length=256)]
    """Where the provider publishes the keys that sign tokens; anybody must be able to read it. At most ten keys."""
    claims: Annotated[tuple[JwtClaim, ...], Field(min_length=1, max_length=10)]
    """What else it must say: at least for whom it is, or tokens for others would do too."""


def authentication_action(authentication: OpenIdConnect | JsonWebToken) -> dict[str, Any]:
    """The action of a ListenerRuleConfiguration, before a request goes on to a server."""
    if isinstance(authentication, OpenIdConnect):
        return {"type": "authenticate-oidc", "authenticateOIDCConfig": _open_id_connect(authentication)}
    return {"type": "jwt-validation", "jwtValidationConfig": _json_web_token(authentication)}


def _open_id_connect(provider: OpenIdConnect) -> dict[str, Any]:
    return {
        "issuer": provider.issuer,
        "authorizationEndpoint": provider.authorization_endpoint,
        "tokenEndpoint": provider.token_endpoint,
        "userInfoEndpoint": provider.user_info_endpoint,
        "secret": {"name": provider.secret},
        "scope": provider.scope,
        "sessionTimeout": provider.session_hours * 3600,
        "onUnauthenticatedRequest": "authenticate",
    }


def _json_web_token(token: JsonWebToken) -> dict[str, Any]:
    formats = {
        "singleString": "single-string",
        "stringArray": "string-array",
        "spaceSeparatedValues": "space-separated-values",
    }
    claims = [{"name": each.name, "values": list(each.values), "format": formats[each.format]} for each in token.claims]
    return {"issuer": token.issuer, "jwksEndpoint": token.jwks_endpoint, "additionalClaims": claims}
