"""Accounts for tests: moto's, with replies of our own where moto has none, and a record of what was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import boto3
import yaml
from botocore.stub import Stubber
from moto import mock_aws

from eksml.account import Account
from eksml.plan import Plan
from eksml.plan.project import find_stack
from eksml.plan.recorder import record
from eksml.preflight.basis import Basis
from eksml.preflight.finding import Answer, Question, Status
from eksml.preflight.machine import Machine
from eksml.preflight.provider import provider_in
from preflight.replies import READY
from programs import ROOT

REGION = "us-west-2"
CREDENTIALS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
Reply = Mapping[str, Any] | Callable[[Any], Any]


class FakeMachine(Machine):
    """A machine with every program, a token, and a way to everything."""

    def __init__(self, **changes: Any):
        self.said: dict[str, str | None] = {
            "pulumi": "v3.272.0\n",
            "aws": "aws-cli/2.33.1 Python/3.13.7 Linux/6.8\n",
            "git": "git version 2.47.3\n",
            "kubectl": '{"clientVersion": {"gitVersion": "v1.36.1"}}',
            **changes.get("said", {}),
        }
        self.settings = {"HF_TOKEN": "hf_test", **changes.get("settings", {})}
        self.own_address: str | None = changes.get("address", "203.0.113.7")
        self.is_reached: bool = changes.get("reaches", True)

    def said_by(self, command: Any) -> str | None:
        return self.said.get(" ".join(command[:2]), self.said[command[0]])

    def setting(self, name: str) -> str:
        return self.settings.get(name, "")

    def address(self) -> str | None:
        return self.own_address

    def reaches(self, host: str, port: int) -> bool:
        return self.is_reached


@contextmanager
def moto_account(
    replies: Mapping[str, Reply] | None = None, region: str = REGION
) -> Generator[tuple[Account, list[str]]]:
    """An empty account of moto's, and a list that takes the name of every operation that is asked of it.

    Replies are by service and operation, as in `iam.SimulatePrincipalPolicy`: an answer, or a function of the
    parameters; one that is an exception's text, as {"Error": …}, is an error.
    """
    with mock_aws():
        session = boto3.Session(**CREDENTIALS, region_name=region)
        asked: list[str] = []
        session.events.register("provide-client-params", lambda model, **_: asked.append(model.name))
        for name, reply in (replies or {}).items():
            _answer(session, name, reply)
        yield Account(session, region), asked


def _answer(session: boto3.Session, name: str, reply: Reply) -> None:
    # Questions are asked at once.
    last = threading.local()
    session.events.register(f"provide-client-params.{name}", lambda params, **_: setattr(last, "params", params))

    def answered(**_: Any) -> tuple[Any, Any]:
        found: Any = reply(last.params) if callable(reply) else reply
        return SimpleNamespace(status_code=400 if "Error" in found else 200), found

    session.events.register(f"before-call.{name}", answered)


@contextmanager
def ready_machine() -> Generator[None]:
    """`eksml preflight` asks an account in which everything is ready, from a machine with every program."""
    real = Basis.__init__

    def with_machine(self: Basis, plan: Plan, **given: Any) -> None:
        real(self, plan, machine=FakeMachine(), **given)

    with (
        moto_account(READY) as (account, _),
        patch.object(Account, "here", classmethod(lambda cls, region, profile=None: account)),
        patch.object(Basis, "__init__", with_machine),
    ):
        yield


@contextmanager
def silent_account(code: str = "AccessDenied") -> Generator[Account]:
    """An account that says who one is, and answers everything else with an error code."""
    session = boto3.Session(**CREDENTIALS, region_name=REGION)
    session.events.register("before-call", lambda **_: (SimpleNamespace(status_code=400), found(code)))
    session.events.register(
        "before-call.sts.GetCallerIdentity",
        lambda **_: (
            SimpleNamespace(status_code=200),
            {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/founder", "UserId": "AIDA"},
        ),
    )
    yield Account(session, REGION)


@contextmanager
def stubbed(service: str, *replies: tuple[str, Mapping[str, Any]]) -> Generator[Account]:
    """An account that answers these operations of a service, in this order, with these answers or error codes."""
    session = boto3.Session(**CREDENTIALS, region_name=REGION)
    account = Account(session, REGION)
    stubber = Stubber(account._client(service))
    for operation, reply in replies:
        if "Error" in reply:
            stubber.add_client_error(operation, reply["Error"]["Code"], reply["Error"].get("Message", ""))
        else:
            stubber.add_response(operation, dict(reply))
    with stubber:
        yield account
    stubber.assert_no_pending_responses()


def found(code: str) -> dict[str, Any]:
    """The reply that is an error."""
    return {"Error": {"Code": code, "Message": "as the test says"}}


@cache
def plan_with(stack: str, settings: str = "{}") -> Plan:
    """The Plan of one of the stacks with settings, a YAML mapping."""
    return record(find_stack(str(ROOT), stack).with_settings(yaml.safe_load(settings)))


def basis_of(plan: Plan, **changes: Any) -> Basis:
    """What questions of a Plan rest on, with a machine that has everything."""
    provider = provider_in(changes.get("config", {}))
    return Basis(plan, FakeMachine(**changes), asks_address=changes.get("asks_address", False), provider=provider)


def question(kind: Any, basis: Basis, what: str) -> Question:
    """The one question of a kind whose subject begins so."""
    fitting = [each for each in kind.questions(basis) if each.what.startswith(what)]
    assert len(fitting) == 1, [each.what for each in kind.questions(basis)]
    return fitting[0]


def answers(kind: Any, basis: Basis, what: str, account: Account) -> list[Answer]:
    """The answers to the one question of a kind whose subject begins so."""
    return list(question(kind, basis, what).ask(account))


def one(kind: Any, basis: Basis, what: str, account: Account) -> tuple[Status, str]:
    """The one answer to a question: its status, and its text with the advice."""
    (answer,) = answers(kind, basis, what, account)
    return answer.status, f"{answer.text} | {answer.advice}"
