"""An AWS account that is asked, and never told to do anything.

It alone imports boto3, which is not installed by default.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from eksml.errors import EksmlError, MissingHere

if TYPE_CHECKING:
    import boto3

READING = ("Describe", "Get", "Head", "List", "Simulate")
"""How the names of operations begin that change nothing."""

# How many questions are under way at once.
WORKERS = 12
_CONNECT_SECONDS, _READ_SECONDS, _ATTEMPTS = 5, 20, 4
_INSTALL = "pip install 'eksml[aws]'"
_SIGN_IN = "sign in (`aws sso login`, `aws configure`, or AWS_PROFILE), then try `aws sts get-caller-identity`"

_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "403")
_THROTTLED = ("Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "SlowDown")
# Where the permission is not called as the operation.
_PERMISSIONS = {"s3:HeadBucket": "s3:ListBucket"}


class Refused(Exception):  # noqa: N818
    """AWS did not answer a question; its text says why."""

    def __init__(self, permission: str, code: str, message: str):
        self.code = code
        self.advice = "ask again in a while"
        if code in _DENIED:
            text = f"your credentials may not ask {permission}"
            self.advice = f"allow {permission}, or ask somebody who may"
        elif code in _THROTTLED:
            text = f"AWS was asked too often for {permission}"
        elif code.endswith("Error"):
            text = f"{permission} could not be asked: {message}"
        else:
            text = f"{permission} was answered with {code}: {message}"
        super().__init__(text)


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
        self._clients: dict[tuple[str, str], Any] = {}
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

    @property
    def identity(self) -> Identity:
        """Whose credentials these are. Raises MissingHere where there are none, or none that AWS takes."""
        return self.once("identity", self._identify)

    def _identify(self) -> Identity:
        try:
            caller = self.ask("sts", "get_caller_identity")
        except Refused as refusal:
            raise MissingHere(f"AWS does not take the credentials of this machine: {refusal}: {_SIGN_IN}") from None
        return Identity(caller["Account"], caller["Arn"])

    def once(self, key: str, find: Callable[[], Any]) -> Any:
        """What several questions need, found by the first that needs it."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._known:
                self._known[key] = find()
            return self._known[key]

    def ask(self, service: str, operation: str, *, region: str | None = None, **parameters: Any) -> Mapping[str, Any]:
        """The answer to one operation. Raises Refused."""
        client = self._client(service, region)
        return self._asked(client, operation, lambda: getattr(client, operation)(**parameters))

    def all(self, service: str, operation: str, key: str, **parameters: Any) -> list[Any]:
        """Everything of a list that comes in pages. Raises Refused."""
        client = self._client(service, None)
        if not client.can_paginate(operation):
            return list(self.ask(service, operation, **parameters)[key])
        pages = client.get_paginator(operation).paginate(**parameters)
        return self._asked(client, operation, lambda: [item for page in pages for item in page.get(key, ())])

    def _asked(self, client: Any, operation: str, call: Callable[[], Any]) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

        name = f"{client.meta.service_model.signing_name}:{client.meta.method_to_api_mapping[operation]}"
        permission = _PERMISSIONS.get(name, name)
        try:
            return call()
        except ClientError as problem:
            found = problem.response.get("Error", {})
            raise Refused(permission, found.get("Code", "?"), found.get("Message", "")) from None
        except ParamValidationError:
            raise
        except BotoCoreError as problem:
            raise Refused(permission, type(problem).__name__, str(problem)) from None

    def _client(self, service: str, region: str | None) -> Any:
        from botocore.config import Config

        region = region or self.region
        # A session makes one client at a time; the clients themselves may be used at once.
        with self._lock:
            if (service, region) not in self._clients:
                settings = Config(
                    connect_timeout=_CONNECT_SECONDS,
                    read_timeout=_READ_SECONDS,
                    retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                    max_pool_connections=WORKERS,
                )
                client = self._session.client(service, region_name=region, config=settings)
                client.meta.events.register("before-call", _only_reading)
                self._clients[service, region] = client
            return self._clients[service, region]


class WritingRefused(EksmlError):  # noqa: N818
    """A question that would change something, which is a mistake of ours."""


def _only_reading(model: Any, **_: Any) -> None:
    if not model.name.startswith(READING):
        raise WritingRefused(f"{model.name} is no question: a preflight changes nothing")
