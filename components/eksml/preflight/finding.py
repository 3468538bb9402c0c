"""What a preflight asks, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from eksml.account import Account


class Status(StrEnum):
    """How an answer bears on `pulumi up`."""

    OK = "ok"
    """As it should be."""
    WARNING = "warning"
    """`pulumi up` works, and something will not later, or not as far as the stack file says."""
    ERROR = "error"
    """`pulumi up` fails, or what it makes does not work."""
    NOT_KNOWN = "not known"
    """It could not be asked, or nobody could say."""


class Answer(NamedTuple):
    """What came of a question."""

    status: Status
    text: str
    """What is the case."""
    advice: str = ""
    """What to do; empty where there is nothing to do."""


class Question(NamedTuple):
    """Something to ask of the account or of this machine."""

    what: str
    ask: Callable[[Account], Iterable[Answer]]
    """Asks it; one question may have several answers."""


class PreflightFinding(NamedTuple):
    """What was asked, and what came of it."""

    question: str
    status: Status
    text: str
    advice: str


def ok(text: str) -> Answer:
    """An answer that is as it should be."""
    return Answer(Status.OK, text)


def warning(text: str, advice: str) -> Answer:
    """An answer that somebody will wish were otherwise."""
    return Answer(Status.WARNING, text, advice)


def error(text: str, advice: str) -> Answer:
    """An answer with which `pulumi up` fails."""
    return Answer(Status.ERROR, text, advice)


def not_known(text: str, advice: str = "") -> Answer:
    """No answer."""
    return Answer(Status.NOT_KNOWN, text, advice)
