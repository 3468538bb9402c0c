"""`eksml preflight`, as a user runs it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from command import ROOT, eksml, eksml_process
from eksml.preflight.account import Account
from eksml.preflight.basis import Basis
from preflight.accounts import FakeMachine, moto_account
from preflight.replies import READY

LET_IN = ("--set", "cluster.publicAccessCidrs=[203.0.113.0/24]", "--ask-address")


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with moto_account(READY) as (account, _):
        monkeypatch.setattr(Account, "here", classmethod(lambda cls, region, profile=None: account))
        real = Basis.__init__
        monkeypatch.setattr(
            Basis, "__init__", lambda self, plan, **given: real(self, plan, machine=FakeMachine(), **given)
        )
        yield


@pytest.mark.usefixtures("ready")
def test_a_stack_that_is_ready_ends_well() -> None:
    done = eksml("preflight", "startup", *LET_IN)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("ok         credentials: account 123456789012")
    assert lines[-1].startswith("0 error, 0 warning, 0 not known, ")


@pytest.mark.usefixtures("ready")
def test_what_would_fail_ends_with_1_and_says_what_to_do() -> None:
    done = eksml("preflight", "startup")
    assert done.returncode == 1
    assert "error      the API server, from here: reachable from its VPC only" in done.stdout
    assert "           let your own addresses in (cluster.publicAccessCidrs)" in done.stdout
    assert done.stderr == "eksml: 1 error found, `pulumi up` would not work\n"


@pytest.mark.usefixtures("ready")
def test_machines_get_every_finding() -> None:
    done = eksml("preflight", "startup", "--json")
    found: list[dict[str, Any]] = json.loads(done.stdout)
    assert {"question", "status", "text", "advice"} == {key for each in found for key in each}
    assert [each["question"] for each in found if each["status"] != "ok"] == ["the API server, from here"]


def test_without_credentials_it_ends_with_3(tmp_path: Any) -> None:
    environment = {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"), ""),
    }
    done = eksml_process("preflight", "startup", cwd=ROOT, **environment)
    assert done.returncode == 3, done
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "sign in (`aws sso login`" in done.stderr


def test_its_help_says_that_nothing_is_changed() -> None:
    assert "Nothing is ever changed" in " ".join(eksml("preflight", "--help").stdout.split())
    assert "3 something is missing on this machine" in " ".join(eksml("--help").stdout.split())
