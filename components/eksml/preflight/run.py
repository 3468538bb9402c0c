"""Asks everything that a Plan needs, at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from eksml.account import WORKERS, Account, Refused
from eksml.at_once import at_once
from eksml.errors import MissingHere
from eksml.preflight import (
    addresses,
    api_server,
    certificates,
    credentials,
    databases,
    downloads,
    existing_names,
    hub,
    instance_quotas,
    kubernetes,
    offerings,
    other_quotas,
    permissions,
    programs,
    references,
    reservations,
    service_roles,
)
from eksml.preflight.basis import Basis
from eksml.preflight.finding import Answer, PreflightFinding, Question, not_known

_KINDS = (
    credentials,
    programs,
    permissions,
    instance_quotas,
    offerings,
    reservations,
    other_quotas,
    addresses,
    kubernetes,
    service_roles,
    existing_names,
    api_server,
    certificates,
    databases,
    references,
    downloads,
    hub,
)


def run_preflight(
    basis: Basis, account: Account, on_answer: Callable[[int, int], None] = lambda done, all_: None
) -> list[PreflightFinding]:
    """What came of every question, in the order of the questions.

    Arguments:
        basis: the Plan, and this machine.
        account: whom to ask.
        on_answer: told how many questions of how many are answered.

    Raises MissingHere without credentials that AWS takes.
    """
    _ = account.identity
    asked = [question for kind in _KINDS for question in kind.questions(basis)]
    answers = at_once(
        [partial(_answers, question, account) for question in asked],
        WORKERS,
        lambda number: on_answer(number, len(asked)),
    )
    return [
        PreflightFinding(question.what, *answer)
        for question, given in zip(asked, answers, strict=True)
        for answer in given
    ]


def as_json(findings: Iterable[PreflightFinding]) -> list[dict[str, Any]]:
    """The findings as plain data, for machines."""
    return [finding._asdict() | {"status": finding.status.value} for finding in findings]


def _answers(question: Question, account: Account) -> list[Answer]:
    found: list[Answer] = []
    try:
        found.extend(question.ask(account))
    except Refused as refusal:
        found.append(not_known(str(refusal), refusal.advice))
    except MissingHere as missing:
        found.append(not_known(str(missing)))
    except Exception as problem:
        # What one answer holds that nobody expected must not cost the others.
        found.append(not_known(f"a mistake of ours: {type(problem).__name__}: {problem}", "please report it"))
    return found
