"""An account: its credentials, what it refuses, and that it is never told to do anything."""

import builtins
from typing import Any

import boto3
import pytest
from botocore.exceptions import NoCredentialsError

from eksml.errors import MissingHere
from eksml.preflight.account import Account, Refused, WritingRefused
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
        ("RequestLimitExceeded", "AWS was asked too often for ec2:DescribeVpcs"),
        ("InternalFailure", "ec2:DescribeVpcs was answered with InternalFailure: as the test says"),
    ],
)
def test_what_it_refuses_it_says_why(code: str, text: str) -> None:
    with stubbed("ec2", ("describe_vpcs", found(code))) as account, pytest.raises(Refused) as refusal:
        account.ask("ec2", "describe_vpcs")
    assert str(refusal.value) == text
    assert refusal.value.advice


def test_a_service_that_does_not_answer_is_no_traceback() -> None:
    session = boto3.Session(**CREDENTIALS, region_name=REGION)

    def fail(**_: Any) -> None:
        raise NoCredentialsError

    session.events.register("before-call", fail)
    with pytest.raises(Refused, match="ec2:DescribeVpcs could not be asked"):
        Account(session, REGION).ask("ec2", "describe_vpcs")


def test_permissions_are_called_as_iam_calls_them() -> None:
    with stubbed("s3", ("head_bucket", found("403"))) as account, pytest.raises(Refused, match="s3:ListBucket"):
        account.ask("s3", "head_bucket", Bucket="models")


def test_what_several_questions_need_is_asked_once() -> None:
    times: list[int] = []
    with moto_account() as (account, _):
        assert account.once("key", lambda: times.append(1) or "found") == "found"
        assert account.once("key", lambda: times.append(1) or "other") == "found"
    assert times == [1]
