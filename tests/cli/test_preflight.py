"""`eksml preflight`, as a user runs it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from command import ROOT, Done, check_refused, eksml, eksml_process
from eksml.account import Account
from preflight.accounts import moto_account, ready_machine
from preflight.replies import READY

pytestmark = pytest.mark.slow

LET_IN = ("--set", "cluster.publicAccessCidrs=[203.0.113.0/24]", "--ask-address")


@pytest.fixture
def ready() -> Iterator[None]:
    with ready_machine():
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


@pytest.fixture
def profiles(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str | None]]:
    """The profiles whose account was asked for; every one of them leads to moto's."""
    asked: list[str | None] = []
    with moto_account(READY) as (account, _):

        def here(_: type[Account], region: str, profile: str | None = None) -> Account:
            asked.append(profile)
            return account

        monkeypatch.setattr(Account, "here", classmethod(here))
        yield asked


def credentials_of(done: Done) -> list[str]:
    return [each["text"] for each in json.loads(done.stdout) if each["question"] == "credentials"]


def test_the_profile_and_the_roles_of_the_stack_file_are_taken(tmp_path: Path, profiles: list[str | None]) -> None:
    """As the AWS provider takes them; --aws-profile stands in for both."""
    eksml("init", "dev", "--profile", "startup", cwd=tmp_path)
    file = tmp_path / "Pulumi.dev.yaml"
    more = """
  aws:profile: sandbox
  aws:assumeRoles:
    - {roleArn: "arn:aws:iam::210987654321:role/deployer", sessionName: me}
  aws:allowedAccountIds: ["210987654321"]
"""
    file.write_text(file.read_text(encoding="utf-8").rstrip() + more, encoding="utf-8")
    assert credentials_of(eksml("preflight", "dev", "--json", cwd=tmp_path)) == [
        "account 210987654321, as arn:aws:sts::210987654321:assumed-role/deployer/me"
    ]
    done = eksml("preflight", "dev", "--json", "--aws-profile", "other", cwd=tmp_path)
    assert "the credentials of the aws command" not in done.stdout, "whom Pulumi will be is not known"
    refused = credentials_of(done)
    assert refused[0] == "account 123456789012, as arn:aws:iam::123456789012:user/founder"
    assert refused[1].startswith("the account 123456789012 is none of aws:allowedAccountIds (210987654321)")
    assert profiles == ["sandbox", "other"]


def test_a_stack_file_that_the_provider_cannot_read_is_bad_input_before_anything_is_run(tmp_path: Path) -> None:
    eksml("init", "dev", "--profile", "startup", cwd=tmp_path)
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(file.read_text(encoding="utf-8").rstrip() + "\n  aws:assumeRoles: deployer\n", encoding="utf-8")
    check_refused(eksml("preflight", "dev", cwd=tmp_path), "aws:assumeRoles: 'deployer' given, must be a list")
