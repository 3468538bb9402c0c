"""An account: its credentials, what it refuses, and that it is never told to do anything."""

import builtins
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError
from botocore.parsers import ResponseParserError

from eksml.account import Account, Refused, WritingRefused
from eksml.errors import InputError, MissingHere
from preflight.accounts import CREDENTIALS, REGION, found, moto_account, stubbed


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.usefixtures("no_credentials")
def test_without_credentials_it_says_how_to_sign_in() -> None:
    with pytest.raises(MissingHere, match=r"Unable to locate credentials.*aws sso login"):
        _ = Account.here(REGION).identity


@pytest.mark.usefixtures("no_credentials")
def test_a_profile_that_is_not_there_is_missing() -> None:
    with pytest.raises(MissingHere, match="nobody"):
        Account.here(REGION, "nobody")


@pytest.mark.usefixtures("no_credentials")
@pytest.mark.parametrize(
    ("profile", "text"),
    [
        ("role_arn = arn:aws:iam::123456789012:role/x", "missing: source_profile"),
        ("role_arn = arn:aws:iam::123456789012:role/x\nsource_profile = gone", '"gone" referenced in the profile'),
        ("credential_process = /no/such/program", "No such file or directory"),
        ("credential_process = false", "Error when retrieving credentials from custom-process"),
        ("sso_session = gone\nsso_account_id = 123456789012\nsso_role_name = x", "sso-session does not exist"),
    ],
)
def test_a_profile_that_is_no_good_is_missing_and_no_mistake_of_ours(profile: str, text: str) -> None:
    Path(os.environ["AWS_CONFIG_FILE"]).write_text(f"[profile sandbox]\n{profile}\n", encoding="utf-8")
    with pytest.raises(MissingHere, match=text) as problem:
        _ = Account.here(REGION, "sandbox").identity
    assert "aws configure" in str(problem.value)


@pytest.mark.usefixtures("no_credentials")
def test_half_of_some_credentials_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    with pytest.raises(MissingHere, match="missing: AWS_SECRET_ACCESS_KEY"):
        _ = Account.here(REGION).identity


@pytest.mark.usefixtures("no_credentials")
def test_who_has_to_sign_in_again_is_told_how() -> None:
    session = "sso_region = us-east-1\nsso_start_url = https://sso.invalid"
    profile = "sso_session = work\nsso_account_id = 123456789012\nsso_role_name = x"
    text = f"[profile sandbox]\n{profile}\n[sso-session work]\n{session}\n"
    Path(os.environ["AWS_CONFIG_FILE"]).write_text(text, encoding="utf-8")
    with pytest.raises(MissingHere, match=r"SSO Token.*aws sso login"):
        _ = Account.here(REGION, "sandbox").identity


ROLE = "arn:aws:iam::210987654321:role/deployer"


def test_a_chain_of_roles_is_taken_on() -> None:
    roles = [
        {"RoleArn": f"arn:aws:iam::{number}:role/deployer", "RoleSessionName": "me"}
        for number in ("111111111111", "210987654321")
    ]
    with moto_account() as (account, asked):
        taken = account.taking_on(roles)
        assert taken.identity.account == "210987654321"
        assert taken.identity.arn.endswith(":assumed-role/deployer/me")
        assert account.identity.account == "123456789012"
        assert asked.count("AssumeRole") == 1, "the second is asked for by the first role"


def test_what_can_be_no_role_is_bad_input() -> None:
    with moto_account() as (account, _), pytest.raises(InputError, match=r"the role x: .*RoleArn, value: 1"):
        account.taking_on([{"RoleArn": "x", "RoleSessionName": "me"}])


def test_a_role_that_may_not_be_taken_on_is_missing_and_named() -> None:
    denied = {"sts.AssumeRole": found("AccessDenied")}
    with moto_account(denied) as (account, _), pytest.raises(MissingHere, match=ROLE) as problem:
        account.taking_on([{"RoleArn": ROLE, "RoleSessionName": "me"}])
    assert "your credentials may not ask sts:AssumeRole" in str(problem.value)
    assert "trust policy" in str(problem.value)


def test_without_boto3_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "boto3":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingHere, match=r"pip install 'eksml\[aws\]'"):
        Account.here(REGION)


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId"])
def test_credentials_that_aws_does_not_take_are_missing(code: str) -> None:
    with stubbed("sts", ("get_caller_identity", found(code))) as account, pytest.raises(MissingHere, match=code):
        _ = account.identity


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("create_vpc", {"CidrBlock": "10.0.0.0/16"}),
        ("delete_vpc", {"VpcId": "vpc-0123456789abcdef0"}),
        ("run_instances", {"MinCount": 1, "MaxCount": 1}),
    ],
)
def test_it_refuses_to_write(operation: str, parameters: dict[str, Any]) -> None:
    with moto_account() as (account, _), pytest.raises(WritingRefused, match="a preflight changes nothing"):
        account.ask("ec2", operation, **parameters)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("UnauthorizedOperation", "your credentials may not ask ec2:DescribeVpcs"),
        ("ExpiredToken", "AWS does not take the credentials for ec2:DescribeVpcs: ExpiredToken: as the test says"),
        ("RequestLimitExceeded", "AWS was asked too often for ec2:DescribeVpcs"),
        ("InternalFailure", "ec2:DescribeVpcs was answered with InternalFailure: as the test says"),
    ],
)
def test_what_it_refuses_it_says_why(code: str, text: str) -> None:
    with stubbed("ec2", ("describe_vpcs", found(code))) as account, pytest.raises(Refused) as refusal:
        account.ask("ec2", "describe_vpcs")
    assert str(refusal.value) == text
    assert refusal.value.advice


def test_credentials_that_end_on_the_way_are_told_to_be_renewed() -> None:
    with stubbed("ec2", ("describe_vpcs", found("RequestExpired"))) as account, pytest.raises(Refused) as refusal:
        account.ask("ec2", "describe_vpcs")
    assert "aws sso login" in refusal.value.advice


def test_a_service_that_does_not_answer_is_no_traceback() -> None:
    session = boto3.Session(**CREDENTIALS, region_name=REGION)

    def fail(**_: Any) -> None:
        raise NoCredentialsError

    session.events.register("before-call", fail)
    with pytest.raises(Refused, match="ec2:DescribeVpcs could not be asked"):
        Account(session, REGION).ask("ec2", "describe_vpcs")


@pytest.fixture
def unreached() -> Account:
    """An account that this machine has no way to."""
    session = boto3.Session(**CREDENTIALS, region_name=REGION)

    def fail(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://sts.us-west-2.amazonaws.com")

    session.events.register("before-call", fail)
    return Account(session, REGION)


def test_without_a_way_to_aws_nobody_is_told_to_sign_in(unreached: Account) -> None:
    with pytest.raises(MissingHere, match=r"could not be reached.*sts\.us-west-2.*HTTPS_PROXY") as problem:
        _ = unreached.identity
    assert "sign in" not in str(problem.value)


def test_a_region_that_is_not_enabled_takes_no_credentials_either() -> None:
    replies = ("get_caller_identity", found("InvalidClientTokenId"))
    with stubbed("sts", replies) as account, pytest.raises(MissingHere, match=f"or enable {REGION}"):
        _ = account.identity


def test_an_address_of_aws_that_is_none_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "foo")
    with pytest.raises(MissingHere, match=r"Invalid endpoint: foo: .*AWS_ENDPOINT_URL"):
        _ = Account(boto3.Session(**CREDENTIALS), REGION).identity


@pytest.mark.parametrize("address", ["https://me:hunter2@127.0.0.1:1", "https://me:hunter2@"])
def test_a_password_in_an_address_is_not_shown(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setattr("eksml.account._ATTEMPTS", 1)
    with pytest.raises(MissingHere, match="https://") as problem:
        _ = Account(boto3.Session(**CREDENTIALS), REGION).identity
    assert "hunter2" not in str(problem.value)


@pytest.mark.parametrize("kind", ["error", "reply"])
def test_a_page_that_a_proxy_sends_instead_is_one_short_line(kind: str) -> None:
    page = "<!doctype html>\n<title>502 Bad Gateway</title>\n<h1>Bad Gateway</h1>\n" + "<p>sorry</p>\n" * 100
    session = boto3.Session(**CREDENTIALS, region_name=REGION)

    def answer(**_: Any) -> Any:
        if kind == "reply":
            raise ResponseParserError(f"Unable to parse response, invalid XML received: {page}")
        return SimpleNamespace(status_code=502), {"Error": {"Code": "502", "Message": page}}

    session.events.register("before-call", answer)
    with pytest.raises(Refused, match="502 Bad Gateway") as refusal:
        Account(session, REGION).ask("ec2", "describe_vpcs")
    assert "<" not in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 300


def test_what_is_not_there_is_nothing_and_what_is_denied_is_refused() -> None:
    replies = (("describe_cluster", found("ResourceNotFoundException")), ("describe_cluster", found("AccessDenied")))
    with stubbed("eks", *replies) as account:
        assert account.find("eks", "describe_cluster", "ResourceNotFoundException", name="ml") is None
        with pytest.raises(Refused, match="may not ask eks:DescribeCluster"):
            account.find("eks", "describe_cluster", "ResourceNotFoundException", name="ml")


def test_permissions_are_called_as_iam_calls_them() -> None:
    with stubbed("s3", ("head_bucket", found("403"))) as account, pytest.raises(Refused, match="s3:ListBucket"):
        account.ask("s3", "head_bucket", Bucket="models")


def test_what_several_questions_need_is_asked_once() -> None:
    times: list[int] = []
    with moto_account() as (account, _):
        assert account.once("key", lambda: times.append(1) or "found") == "found"
        assert account.once("key", lambda: times.append(1) or "other") == "found"
    assert times == [1]


def test_what_was_refused_is_not_asked_again() -> None:
    times: list[int] = []

    def refuse() -> None:
        times.append(1)
        raise Refused("ec2:DescribeInstances", "AccessDenied", "")

    with moto_account() as (account, _):
        for _ in range(2):
            with pytest.raises(Refused):
                account.once("key", refuse)
    assert times == [1]
