"""What a stack file tells the AWS provider of credentials and accounts, by the keys that begin with `aws:`.

https://www.pulumi.com/registry/packages/aws/installation-configuration/
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from eksml._error_text import problems_of
from eksml.errors import InputError
from eksml.plan.model import SECRET

if TYPE_CHECKING:
    from eksml.plan.project import Stack

_PREFIX = "aws:"
KEYS = frozenset(
    {
        "accessKey",
        "allowedAccountIds",
        "assumeRoleWithWebIdentity",
        "assumeRoles",
        "customCaBundle",
        "defaultTags",
        "ec2MetadataServiceEndpoint",
        "ec2MetadataServiceEndpointMode",
        "endpoints",
        "forbiddenAccountIds",
        "httpProxy",
        "httpsProxy",
        "ignoreTags",
        "insecure",
        "maxRetries",
        "noProxy",
        "profile",
        "region",
        "retryMode",
        "s3UsEast1RegionalEndpoint",
        "s3UsePathStyle",
        "secretKey",
        "sharedConfigFiles",
        "sharedCredentialsFiles",
        "skipCredentialsValidation",
        "skipMetadataApiCheck",
        "skipRegionValidation",
        "skipRequestingAccountId",
        "stsRegion",
        "tagPolicyCompliance",
        "token",
        "tokenBucketRateLimiterCapacity",
        "useDualstackEndpoint",
        "useFipsEndpoint",
        "userAgents",
    }
)
"""Every key of the provider."""

# Those that say who is to be asked, or where, and that are not followed here.
_NOT_FOLLOWED = (
    "accessKey",
    "secretKey",
    "token",
    "assumeRoleWithWebIdentity",
    "endpoints",
    "sharedConfigFiles",
    "sharedCredentialsFiles",
)
# What STS calls the fields of a role.
_STS = {
    "role_arn": "RoleArn",
    "session_name": "RoleSessionName",
    "external_id": "ExternalId",
    "policy": "Policy",
    "source_identity": "SourceIdentity",
    "transitive_tag_keys": "TransitiveTagKeys",
}


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel)


class Role(_Told):
    """A role to take on."""

    role_arn: str
    session_name: str = "eksml-preflight"
    external_id: str | None = None
    policy: str | None = None
    policy_arns: tuple[str, ...] = ()
    source_identity: str | None = None
    tags: dict[str, str] | None = None
    transitive_tag_keys: tuple[str, ...] = ()

    @property
    def for_sts(self) -> dict[str, Any]:
        """The parameters of sts:AssumeRole."""
        found: dict[str, Any] = {name: getattr(self, field) for field, name in _STS.items() if getattr(self, field)}
        if self.policy_arns:
            found["PolicyArns"] = [{"arn": each} for each in self.policy_arns]
        if self.tags:
            found["Tags"] = [{"Key": key, "Value": value} for key, value in self.tags.items()]
        return found


_Number = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]


class Provider(_Told):
    """What the provider is told, as far as it bears on whom it asks."""

    profile: str | None = None
    region: str | None = None
    assume_roles: tuple[Role, ...] = ()
    allowed_account_ids: tuple[_Number, ...] = ()
    forbidden_account_ids: tuple[_Number, ...] = ()
    not_followed: tuple[str, ...] = ()
    """The keys by which it asks as somebody else than this machine can, or elsewhere."""
    unknown: tuple[str, ...] = ()
    """The keys that it does not have."""

    @property
    def signs_in_by_itself(self) -> bool:
        """Whether it is told with which credentials."""
        return bool(self.profile or self.assume_roles or self.not_followed)

    @property
    def without_credentials(self) -> Provider:
        """The same, asked with credentials of somebody else's choice."""
        return self.model_copy(update={"profile": None, "assume_roles": (), "not_followed": ()})


def provider_of(stack: Stack) -> Provider:
    """What a stack, over the platform that it runs on, tells the provider. Raises InputError."""
    platform = stack.platform.config if stack.platform else {}
    return provider_in({**platform, **stack.config})


def provider_in(config: Mapping[str, Any]) -> Provider:
    """What a configuration tells the provider. Raises InputError with everything that is wrong with it."""
    told = {key.removeprefix(_PREFIX): _plain(value) for key, value in config.items() if key.startswith(_PREFIX)}
    closed = [key for key, value in told.items() if SECRET in _texts(value)]
    fields = {key: value for key, value in told.items() if key not in closed and key not in _NOT_FOLLOWED}
    fields["notFollowed"] = sorted({*closed, *(key for key in told if key in _NOT_FOLLOWED)} & KEYS)
    fields["unknown"] = sorted(told.keys() - KEYS)
    try:
        return Provider.model_validate(fields)
    except ValidationError as error:
        problems = sorted({str(problem) for problem in problems_of(Provider, error, fields)})
        raise InputError("\n".join(f"{_PREFIX}{problem}" for problem in problems)) from None


def _plain(value: Any) -> Any:
    """A value; `pulumi config set` without --path writes lists and mappings as JSON."""
    if isinstance(value, str) and value.startswith(("[{", "[", "{")) and value != SECRET:
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _texts(item)
