"""Whose credentials Pulumi takes: what the stack file says of them, the accounts it allows, and the aws command."""

import inspect
import json
import re
from typing import Any

import pulumi_aws as aws
import pytest

from eksml.errors import InputError
from eksml.plan import Plan
from eksml.plan.model import SECRET
from eksml.preflight import credentials
from eksml.preflight.finding import Status
from eksml.preflight.provider import KEYS, provider_in
from preflight.accounts import answers, basis_of, moto_account, one, plan_with
from preflight.replies import READY
from programs import recorded

ROLE = "arn:aws:iam::123456789012:role/deployer"
ME = "arn:aws:iam::123456789012:user/founder"


def given(what: str, plan: Plan | None = None, **changes: Any) -> list[tuple[Status, str]]:
    basis = basis_of(plan or plan_with("startup"), **changes)
    with moto_account(READY) as (account, _):
        return [(each.status, f"{each.text} | {each.advice}") for each in answers(credentials, basis, what, account)]


def test_the_keys_of_the_provider_are_those_of_its_sdk() -> None:
    from pulumi_aws.config import vars as sdk

    assert set(re.findall(r"__config__\.get\w*\('(\w+)'\)", inspect.getsource(sdk))) == KEYS


def test_a_stack_file_that_says_nothing_of_them_leaves_this_machines() -> None:
    provider = provider_in({"aws:region": "us-west-2", "eksml:platform": {"profile": "research"}})
    assert not provider.signs_in_by_itself
    assert (provider.profile, provider.region, provider.assume_roles) == (None, "us-west-2", ())


def test_roles_are_taken_on_as_the_stack_file_says() -> None:
    role = {"roleArn": ROLE, "externalId": "x1", "duration": "1h", "policyArns": ["arn:p"], "tags": {"team": "a"}}
    expected = {
        "RoleArn": ROLE,
        "RoleSessionName": "eksml-preflight",
        "ExternalId": "x1",
        "PolicyArns": [{"arn": "arn:p"}],
        "Tags": [{"Key": "team", "Value": "a"}],
    }
    for told in ([role], json.dumps([role])):
        (taken,) = provider_in({"aws:assumeRoles": told}).assume_roles
        assert taken.for_sts == expected


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"aws:profile": 3}, "aws:profile: 3 given, must be text"),
        ({"aws:assumeRoles": {"roleArn": ROLE}}, "aws:assumeRoles: "),
        ({"aws:assumeRoles": [{"externalId": "x"}]}, "aws:assumeRoles[0].roleArn: missing"),
        ({"aws:allowedAccountIds": "123456789012"}, "aws:allowedAccountIds: '123456789012' given, must be a list"),
    ],
)
def test_what_the_provider_cannot_read_is_bad_input(config: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError) as error:
        provider_in(config)
    assert str(error.value).startswith(problem)


@pytest.mark.parametrize("key", ["accessKey", "secretKey", "token", "profile", "endpoints", "sharedConfigFiles"])
def test_what_is_encrypted_or_cannot_be_followed_is_said(key: str) -> None:
    """Encrypted keys of an account are not opened offline, so Pulumi is somebody whom nobody knows here."""
    first, second = given("credentials", config={f"aws:{key}": SECRET})
    assert first[0] is Status.OK
    assert second[0] is Status.NOT_KNOWN
    assert f"aws:{key} of the stack file is not followed here" in second[1]
    assert "--aws-profile" in second[1]


def test_an_encrypted_external_id_is_no_role_at_all() -> None:
    provider = provider_in({"aws:assumeRoles": [{"roleArn": ROLE, "externalId": SECRET}]})
    assert (provider.assume_roles, provider.not_followed) == ((), ("assumeRoles",))


@pytest.mark.parametrize(
    ("config", "status"),
    [
        ({"aws:allowedAccountIds": ["123456789012"]}, Status.OK),
        ({"aws:allowedAccountIds": [123456789012]}, Status.OK),
        ({"aws:allowedAccountIds": '["123456789012"]'}, Status.OK),
        ({"aws:allowedAccountIds": ["210987654321"]}, Status.ERROR),
        ({"aws:forbiddenAccountIds": ["123456789012"]}, Status.ERROR),
        ({"aws:forbiddenAccountIds": ["210987654321"]}, Status.OK),
    ],
)
def test_an_account_that_the_provider_refuses_is_an_error(config: dict[str, Any], status: Status) -> None:
    assert given("credentials", config=config)[-1][0] is status


def test_a_key_that_the_provider_does_not_have_is_told() -> None:
    config = {"aws:profil": "sandbox", "aws:assumeRole": {"roleArn": ROLE}, "aws:region": "us-west-2"}
    (role, profile) = given("the settings of the AWS provider", config=config)
    assert (role[0], profile[0]) == (Status.ERROR, Status.WARNING)
    assert "set aws:assumeRoles, a list" in role[1]
    assert "did you mean 'profile'?" in profile[1]


def says(arn: str) -> dict[str, str]:
    return {"aws sts": json.dumps({"Account": "123456789012", "Arn": arn})}


PROFILE = {"aws:profile": "sandbox"}
COMMAND = "the credentials of the aws command"


def test_the_aws_command_as_somebody_else_is_shut_out_of_the_cluster() -> None:
    """The kubeconfig runs it, and aws:profile does not reach it: the first object of Kubernetes would fail."""
    ((status, text),) = given(COMMAND, config=PROFILE, said=says("arn:aws:iam::123456789012:user/somebody"))
    assert status is Status.ERROR
    assert "choose a profile by AWS_PROFILE" in text


def test_the_aws_command_without_credentials_is_an_error() -> None:
    assert given(COMMAND, config=PROFILE, said={"aws sts": None})[0][0] is Status.ERROR


def test_the_aws_command_as_the_same_one_is_well() -> None:
    assert given(COMMAND, config=PROFILE, said=says(ME))[0][0] is Status.OK


def test_sessions_of_one_role_are_the_same_one() -> None:
    one_, other = (f"arn:aws:sts::123456789012:assumed-role/deployer/{name}" for name in "ab")
    assert credentials._principal(one_) == credentials._principal(other)
    assert credentials._principal(one_) == credentials._principal("arn:aws:iam::123456789012:role/ci/deployer")
    assert credentials._principal(one_) != credentials._principal(one_.replace("1234", "4321"))


def test_the_aws_command_as_an_administrator_is_let_in() -> None:
    plan = plan_with("startup", f"cluster.administrators: ['{ROLE}']")
    said = says("arn:aws:sts::123456789012:assumed-role/deployer/me")
    assert given(COMMAND, plan, config=PROFILE, said=said)[0][0] is Status.OK


def test_whom_the_aws_command_should_be_is_not_known_where_pulumi_is_not() -> None:
    said = says("arn:aws:iam::123456789012:user/somebody")
    assert given(COMMAND, config={"aws:accessKey": SECRET}, said=said)[0][0] is Status.WARNING


def test_the_aws_command_is_not_asked_where_the_stack_file_leaves_credentials_to_the_machine() -> None:
    assert [each.what for each in credentials.questions(basis_of(plan_with("startup")))] == ["credentials"]


@pytest.mark.parametrize(("token", "status"), [('{"status": {"token": "secret"}}', Status.OK), (None, Status.ERROR)])
def test_the_role_that_reaches_the_api_server_is_tried(token: str | None, status: Status) -> None:
    plan = plan_with("startup", f"cluster.accessRoleArn: '{ROLE}'\ncluster.administrators: ['{ROLE}']")
    with moto_account(READY) as (account, _):
        result = one(credentials, basis_of(plan, said={"aws eks": token}), f"the role {ROLE}", account)
    assert result[0] is status
    assert "secret" not in result[1]


def test_so_it_is_of_a_cluster_that_exists() -> None:
    plan = plan_with(
        "startup",
        f"""
cluster: {{kind: existing, name: theirs, kubernetesVersion: "1.35", accessRoleArn: "{ROLE}"}}
accelerators.dcgmHostEngine: exporter
network: {{kind: existing, vpcId: vpc-0123456789abcdef0,
  privateSubnets: {{usw2-az1: subnet-0123456789abcdef0, usw2-az2: subnet-0123456789abcdef1}}}}
""",
    )
    with moto_account(READY) as (account, _):
        result = one(credentials, basis_of(plan, said={"aws eks": None}), f"the role {ROLE}", account)
    assert result[0] is Status.ERROR


def test_a_plan_that_names_no_region_is_asked_where_the_provider_would() -> None:
    plan = recorded(lambda: aws.iam.Role("reader", assume_role_policy="{}"))
    assert basis_of(plan, config={"aws:region": "eu-west-1"}).region == "eu-west-1"
    assert basis_of(plan, settings={"AWS_DEFAULT_REGION": "eu-west-2"}).region == "eu-west-2"
    with pytest.raises(InputError, match="set aws:region, or AWS_REGION"):
        _ = basis_of(plan).region
