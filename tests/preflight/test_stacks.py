"""The three stacks, against accounts in which everything is ready, nothing is allowed, or nobody answers."""

import threading
from types import SimpleNamespace

import pytest

from eksml.account import READING
from eksml.preflight import permissions, run
from eksml.preflight.finding import Answer, Question, Status
from eksml.preflight.run import as_json, run_preflight
from preflight.accounts import basis_of, moto_account, plan_with, silent_account
from preflight.replies import READY

pytestmark = pytest.mark.slow

STACKS = ("research", "production", "startup")
LET_IN = "cluster.publicAccessCidrs: [203.0.113.0/24]"


@pytest.mark.parametrize("stack", STACKS)
def test_a_ready_account_is_ready_and_is_only_read(stack: str) -> None:
    basis = basis_of(plan_with(stack, LET_IN), asks_address=True)
    with moto_account(READY) as (account, asked):
        findings = run_preflight(basis, account)
    assert [finding for finding in findings if finding.status is not Status.OK] == []
    assert len(findings) > 30
    assert len(asked) > 30
    assert [operation for operation in asked if not operation.startswith(READING)] == []


@pytest.mark.parametrize("stack", STACKS)
def test_a_new_private_api_server_is_out_of_reach(stack: str) -> None:
    with moto_account(READY) as (account, _):
        findings = run_preflight(basis_of(plan_with(stack)), account)
    assert [finding.question for finding in findings if finding.status is not Status.OK] == [
        "the API server, from here"
    ]


@pytest.mark.parametrize("stack", STACKS)
def test_what_one_may_not_ask_is_not_known_and_says_the_permission(stack: str) -> None:
    with silent_account() as account:
        findings = run_preflight(basis_of(plan_with(stack, LET_IN)), account)
    unknown = [finding for finding in findings if finding.status is Status.NOT_KNOWN]
    assert not [finding for finding in findings if finding.status is Status.ERROR]
    assert len(unknown) > 25
    assert [finding for finding in unknown if "a mistake of ours" in finding.text] == []
    assert (
        "the zones of the network",
        Status.NOT_KNOWN,
        "your credentials may not ask ec2:DescribeAvailabilityZones",
        "allow ec2:DescribeAvailabilityZones, or ask somebody who may",
    ) in findings


def test_an_account_that_is_asked_too_often_is_not_known() -> None:
    with silent_account("ThrottlingException") as account:
        findings = run_preflight(basis_of(plan_with("startup")), account)
    assert any("AWS was asked too often for ec2:" in finding.text for finding in findings)


def test_one_answer_that_nobody_expected_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("EvalDecision")

    monkeypatch.setattr(permissions, "decisions", broken)
    with moto_account(READY) as (account, _):
        findings = run_preflight(basis_of(plan_with("startup", LET_IN), asks_address=True), account)
    wrong = [finding for finding in findings if finding.status is not Status.OK]
    assert [(finding.question, finding.status) for finding in wrong] == [("permissions", Status.NOT_KNOWN)]
    assert "a mistake of ours: KeyError" in wrong[0].text


def test_findings_are_plain_data_for_machines() -> None:
    told: list[tuple[int, int]] = []
    with moto_account(READY) as (account, _):
        findings = run_preflight(basis_of(plan_with("startup")), account, lambda *numbers: told.append(numbers))
    first = as_json(findings)[0]
    assert first == {
        "question": "credentials",
        "status": "ok",
        "text": "account 123456789012, as arn:aws:iam::123456789012:user/founder",
        "advice": "",
    }
    assert told[-1] == (len(told), len(told))


def test_who_interrupts_it_waits_for_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()

    def wait(_: object) -> list[Answer]:
        never.wait(60)
        return []

    def interrupt(done: int, all_: int) -> None:
        raise KeyboardInterrupt

    kind = SimpleNamespace(questions=lambda basis: [Question("slow", wait)] * 50 + [Question("quick", lambda _: [])])
    monkeypatch.setattr(run, "_KINDS", (SimpleNamespace(questions=lambda _: [Question("quick", lambda _: [])]), kind))
    before = set(threading.enumerate())
    with moto_account(READY) as (account, _), pytest.raises(KeyboardInterrupt):
        run_preflight(basis_of(plan_with("startup")), account, interrupt)
    left = set(threading.enumerate()) - before
    assert left
    assert all(thread.daemon for thread in left)
    never.set()


def test_an_address_of_one_service_that_is_none_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_EKS", "foo")
    with moto_account(READY) as (account, _):
        findings = run_preflight(basis_of(plan_with("startup")), account)
    assert {finding.text for finding in findings if "Invalid endpoint: foo" in finding.text}
    assert len([finding for finding in findings if finding.status is Status.OK]) > 20
