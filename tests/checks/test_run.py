"""All checks together, and what a waiver allows."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from checks.faults import (
    NODE_POOL,
    PLATFORM,
    SERVICE,
    Fault,
    Planted,
    add,
    change,
    each_of,
    expect_found,
    found,
    planted,
)
from eksml.check_list import CHECKS, Severity
from eksml.checks import run_checks
from eksml.checks.run import _FUNCTIONS, as_json
from eksml.plan import Plan
from eksml.profiles import PROFILES
from programs import stack_plan


def with_waivers(waivers: dict[str, str], *faults: Fault) -> Plan:
    return planted(*faults, change(PLATFORM, "", "spec/waivers", waivers))


FAULTS: list[Planted] = [
    (
        "waiver-used",
        change(PLATFORM, "", "spec/waivers", {"tagged": "cost allocation is by account here"}),
        "eksml-production: the waiver 'tagged' allows nothing",
    ),
]


@each_of(FAULTS)
def test_a_planted_fault_is_found(check: str, fault: Fault, text: str) -> None:
    expect_found(check, fault, text)


def test_every_check_has_a_function_a_severity_and_an_explanation() -> None:
    assert list(_FUNCTIONS) == list(CHECKS)
    assert all(info.explanation.endswith(".") for info in CHECKS.values())


@pytest.mark.parametrize("name", PROFILES)
def test_every_check_is_quiet_on_the_stacks(name: str) -> None:
    assert run_checks(stack_plan(name)).findings == ()


def test_every_check_has_a_fault_here() -> None:
    files = [import_module(f"checks.{file.stem}") for file in Path(__file__).parent.glob("test_*.py")]
    ours = {fault[0] for file in files for fault in getattr(file, "FAULTS", ())}
    # These two have tests that say more.
    assert ours | {"image-fits-nodes", "image-registry"} == set(CHECKS)


def test_a_waiver_allows_a_finding_and_its_reason_stays_to_be_read() -> None:
    unlimited = change(NODE_POOL, "burst", "spec/limits", None)
    report = run_checks(with_waivers({"elastic-pool-limited": "the account has a quota"}, unlimited))
    assert report.errors == ()
    ((finding, reason),) = report.waived
    assert (finding.check, reason) == ("elastic-pool-limited", "the account has a quota")
    assert as_json(report) == [
        {
            "check": "elastic-pool-limited",
            "severity": "error",
            "resource": "eksml-production-burst",
            "urn": finding.urn,
            "text": finding.text,
            "waiver": "the account has a quota",
        }
    ]


def test_a_waiver_of_one_resource_hides_no_other() -> None:
    public = [add("kubernetes:core/v1:Service", name, SERVICE) for name in ("web", "forgotten")]
    report = run_checks(with_waivers({"not-public:web": "the demo is public on purpose"}, *public))
    assert [finding.resource for finding in report.findings if finding.check == "not-public"] == ["forgotten"]
    assert [(finding.resource, reason) for finding, reason in report.waived] == [
        ("web", "the demo is public on purpose")
    ]


def test_the_waiver_of_one_resource_gives_the_reason_where_all_are_waived() -> None:
    public = [add("kubernetes:core/v1:Service", name, SERVICE) for name in ("web", "other")]
    waivers = {"not-public": "a course for everybody", "not-public:web": "the demo is public on purpose"}
    report = run_checks(with_waivers(waivers, *public))
    assert [reason for _, reason in report.waived] == ["a course for everybody", "the demo is public on purpose"]


@pytest.mark.parametrize("waiver", ["not-public", "not-public:web"])
def test_a_waiver_that_allows_nothing_is_told(waiver: str) -> None:
    text = f"eksml-production: the waiver '{waiver}' allows nothing"
    assert any(line.startswith(text) for line in found(with_waivers({waiver: "until the end of May"}), "waiver-used"))


def test_what_is_told_of_waivers_can_be_waived_too() -> None:
    report = run_checks(with_waivers({"tagged": "until the end of May", "waiver-used": "there is a branch for it"}))
    assert report.findings == ()
    assert [finding.check for finding, _ in report.waived] == ["waiver-used"]


def test_the_public_api_server_of_a_stack_file_is_shown_with_its_reason() -> None:
    open_to_all = change("eks:index:Cluster", "", "publicAccessCidrs", ["203.0.113.0/24", "0.0.0.0/0"])
    opened = change("eks:index:Cluster", "", "endpointPublicAccess", True)
    report = run_checks(with_waivers({"open-public-endpoint": "students without fixed addresses"}, opened, open_to_all))
    ((finding, _),) = report.waived
    assert finding.text == "the API server is reachable from 0.0.0.0/0: give your own ranges under publicAccessCidrs"
    assert report.findings == ()


def test_warnings_are_no_errors() -> None:
    report = run_checks(planted(change("aws:sqs/queue:Queue", "", "tags", {"Name": "q"})))
    assert report.errors == ()
    assert {CHECKS[finding.check].severity for finding in report.findings} == {Severity.WARNING}


class Unseen(dict[str, object]):
    """Inputs that nobody may look through to tell two Plans apart."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("the inputs of two Plans are compared")

    __hash__ = None


def test_two_plans_of_a_platform_are_not_looked_through_to_tell_them_apart() -> None:
    research = stack_plan("research")
    first, second = (
        Plan.of("research", [replace(each, inputs=Unseen(each.inputs)) for each in research.resources])
        for _ in range(2)
    )
    assert run_checks(first).errors == run_checks(second).errors == ()
