"""An AWS account that is asked, and never told to do anything.

It alone imports boto3, which is not installed by default.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from eksml.errors import EksmlError, InputError, MissingHere

if TYPE_CHECKING:
    import boto3

READING = ("AssumeRole", "Describe", "Get", "Head", "List", "Simulate")
"""How the names of operations begin that change nothing."""

# How many questions are under way at once.
WORKERS = 12
_CONNECT_SECONDS, _READ_SECONDS, _ATTEMPTS = 5, 20, 4
_INSTALL = "pip install 'eksml[aws]'"
_SIGN_IN = "sign in (`aws sso login`, `aws configure`, or AWS_PROFILE), then try `aws sts get-caller-identity`"
_TRUST = "look at its trust policy, and at what aws:assumeRoles of the stack file says"
_CONFIGURED = "look at the AWS configuration of this machine (`aws configure list`, AWS_PROFILE)"
_NETWORK = "look at the network of this machine: its proxy (HTTPS_PROXY), its VPC endpoints, AWS_ENDPOINT_URL"

_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "403")
_THROTTLED = (
    "EC2ThrottledException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
)
# Of credentials that ended while others were asked, or that a region does not know.
_NOT_TAKEN = (
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "RequestExpired",
    "UnrecognizedClientException",
)
_UNREACHABLE = "Unreachable"
# Where the permission is not called as the operation.
_PERMISSIONS = {"s3:HeadBucket": "s3:ListBucket", "budgets:DescribeBudget": "budgets:ViewBudget"}
# Of what a proxy or a gateway says instead of AWS, which is a page of HTML.
_LONGEST = 200


class Refused(Exception):  # noqa: N818
    """AWS did not answer a question; its text says why."""

    def __init__(self, permission: str, code: str, message: str):
        self.code = code
        self.is_denied = code in _DENIED
        self.advice = "ask again in a while"
        said = _in_one_line(message)
        if self.is_denied:
            text = f"your credentials may not ask {permission}"
            self.advice = f"allow {permission}, or ask somebody who may"
        elif code in _THROTTLED:
            text = f"AWS was asked too often for {permission}"
        elif code in _NOT_TAKEN:
            text = f"AWS does not take the credentials for {permission}: {code}: {said}"
            self.advice = _SIGN_IN
        elif code == _UNREACHABLE:
            text = f"AWS could not be reached for {permission}: {said}"
            self.advice = _NETWORK
        elif code.endswith("Error"):
            text = f"{permission} could not be asked: {said}"
        else:
            text = f"{permission} was answered with {code}: {said}"
        super().__init__(text)


def _in_one_line(message: str) -> str:
    """Without the password of an address, as AWS_ENDPOINT_URL may have one."""
    text = re.sub(r"//[^/\s]*@", "//", re.sub(r"<[^>]*>", " ", message))
    plain = " ".join(text.split()).rstrip(" .:")
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]} …"


class Identity(NamedTuple):
    """Whose credentials these are."""

    account: str
    arn: str


class Account:
    """An account in a region, as its credentials see it.

    Arguments:
        session: a session of boto3, with credentials.
        region: the region that is asked.
    """

    def __init__(self, session: boto3.Session, region: str):
        self._session = session
        self.region = region
        self._clients: dict[str, Any] = {}
        self._known: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    @classmethod
    def here(cls, region: str, profile: str | None = None) -> Account:
        """The account of this machine's credentials. Raises MissingHere without boto3, or without such a profile."""
        try:
            import boto3
            from botocore.exceptions import BotoCoreError
        except ImportError:
            raise MissingHere(f"the account is asked with boto3, which is not installed: {_INSTALL}") from None
        try:
            return cls(boto3.Session(profile_name=profile), region)
        except BotoCoreError as problem:
            raise MissingHere(f"{problem}: {_SIGN_IN}") from None

    def taking_on(self, roles: Iterable[Mapping[str, Any]]) -> Account:
        """The account as a chain of roles sees it, each taken on by the one before.

        Arguments:
            roles: the parameters of sts:AssumeRole for each.

        Raises MissingHere where one may not be taken on, and InputError where it cannot be one.
        """
        import boto3
        from botocore.exceptions import ParamValidationError

        account = self
        for role in roles:
            _ = account.identity
            try:
                found = account.ask("sts", "assume_role", **role)["Credentials"]
            except Refused as refusal:
                raise MissingHere(f"the role {role['RoleArn']} cannot be taken on: {refusal}: {_TRUST}") from None
            except ParamValidationError as problem:
                raise InputError(f"the role {role['RoleArn']}: {_in_one_line(str(problem))}") from None
            session = boto3.Session(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
            account = Account(session, self.region)
        return account

    @property
    def identity(self) -> Identity:
        """Whose credentials these are. Raises MissingHere where there are none, or none that AWS takes."""
        return self.once("identity", self._identify)

    def _identify(self) -> Identity:
        try:
            caller = self.ask("sts", "get_caller_identity")
        except Refused as refusal:
            if refusal.code == _UNREACHABLE:
                raise MissingHere(f"{refusal}: {refusal.advice}") from None
            # So a region answers, too, that the account has not enabled.
            more = f", or enable {self.region} in the account" if refusal.code == "InvalidClientTokenId" else ""
            said = str(refusal) if refusal.code in _NOT_TAKEN else f"no credentials that AWS takes: {refusal}"
            raise MissingHere(f"{said}: {_SIGN_IN}{more}") from None
        return Identity(caller["Account"], caller["Arn"])

    def once(self, key: str, find: Callable[[], Any]) -> Any:
        """What several questions need, found by the first that needs it. Raises Refused, to each of them."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._known:
                try:
                    self._known[key] = find()
                except Refused as refusal:
                    self._known[key] = refusal
        if isinstance(self._known[key], Refused):
            raise self._known[key]
        return self._known[key]

    def ask(self, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        """The answer to one operation. Raises Refused."""
        client = self._client(service)
        return self._asked(client, operation, lambda: getattr(client, operation)(**parameters))

    def find(self, service: str, operation: str, *absent: str, **parameters: Any) -> Mapping[str, Any] | None:
        """The answer to one operation; None where AWS answers with one of these codes. Raises Refused for others."""
        try:
            return self.ask(service, operation, **parameters)
        except Refused as refusal:
            if refusal.code in absent:
                return None
            raise

    def all(self, service: str, operation: str, key: str, **parameters: Any) -> list[Any]:
        """Everything of a list that comes in pages. Raises Refused."""
        client = self._client(service)
        if not client.can_paginate(operation):
            return list(self.ask(service, operation, **parameters)[key])
        pages = client.get_paginator(operation).paginate(**parameters)
        return self._asked(client, operation, lambda: [item for page in pages for item in page.get(key, ())])

    def _asked(self, client: Any, operation: str, call: Callable[[], Any]) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ParamValidationError
        from botocore.exceptions import ConnectionError as NoConnection
        from botocore.parsers import ResponseParserError

        name = f"{client.meta.service_model.signing_name}:{client.meta.method_to_api_mapping[operation]}"
        permission = _PERMISSIONS.get(name, name)
        try:
            return call()
        except ClientError as problem:
            found = problem.response.get("Error", {})
            raise Refused(permission, found.get("Code", "?"), found.get("Message", "")) from None
        except ParamValidationError:
            raise
        except (NoConnection, HTTPClientError) as problem:
            raise Refused(permission, _UNREACHABLE, str(problem)) from None
        except (BotoCoreError, ResponseParserError) as problem:
            raise Refused(permission, type(problem).__name__, str(problem)) from None

    def _client(self, service: str) -> Any:
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        # A session makes one client at a time; the clients themselves may be used at once.
        with self._lock:
            if service not in self._clients:
                settings = Config(
                    connect_timeout=_CONNECT_SECONDS,
                    read_timeout=_READ_SECONDS,
                    retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                    max_pool_connections=WORKERS,
                )
                try:
                    client = self._session.client(service, region_name=self.region, config=settings)
                except (BotoCoreError, OSError) as problem:
                    # Half of some credentials, a profile that names no other, a program for them that is not there.
                    raise MissingHere(f"{_in_one_line(str(problem))}: {_CONFIGURED}") from None
                except ValueError as problem:
                    # AWS_ENDPOINT_URL, or endpoint_url in the configuration.
                    raise MissingHere(f"{_in_one_line(str(problem))}: {_NETWORK}") from None
                client.meta.events.register("before-call", _only_reading)
                self._clients[service] = client
            return self._clients[service]


class WritingRefused(EksmlError):  # noqa: N818
    """A question that would change something, which is a mistake of ours."""


def _only_reading(model: Any, **_: Any) -> None:
    if not model.name.startswith(READING):
        raise WritingRefused(f"{model.name} is no question: a preflight changes nothing")
