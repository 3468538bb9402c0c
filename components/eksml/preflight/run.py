"""Asks everything that a Plan needs, at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from eksml.errors import EksmlError
from eksml.preflight import (
    addresses,
    api_server,
    certificates,
    databases,
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
from eksml.preflight.account import WORKERS, Account, Refused
from eksml.preflight.basis import Basis
from eksml.preflight.finding import Answer, PreflightFinding, Question, Status, not_known

_KINDS = (
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
    who = account.identity
    asked = [question for kind in _KINDS for question in kind.questions(basis)]
    with ThreadPoolExecutor(WORKERS) as workers:
        answers = [workers.submit(_answers, question, account) for question in asked]
        for done, _ in enumerate(as_completed(answers), start=1):
            on_answer(done, len(answers))
    credentials = PreflightFinding("credentials", Status.OK, f"account {who.account}, as {who.arn}", "")
    return [
        credentials,
        *(
            PreflightFinding(question.what, *answer)
            for question, found in zip(asked, answers, strict=True)
            for answer in found.result()
        ),
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
    except EksmlError:
        raise
    except Exception as problem:
        # What one answer holds that nobody expected must not cost the others.
        found.append(not_known(f"a mistake of ours: {type(problem).__name__}: {problem}", "please report it"))
    return found
