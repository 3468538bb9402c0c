"""What the credentials may do, and the roles of AWS's services."""

from typing import Any

import pytest

from eksml.preflight import permissions, service_roles
from eksml.preflight.finding import Status
from preflight.accounts import answers, basis_of, found, moto_account, one, plan_with, stubbed
from preflight.replies import READY, _allowed

ROOT_USER = {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:root", "UserId": "123456789012"}
SESSION = {"Account": "123456789012", "Arn": "arn:aws:sts::123456789012:assumed-role/Deployer/me", "UserId": "AROA:me"}
FEDERATED = {"Account": "123456789012", "Arn": "arn:aws:sts::123456789012:federated-user/me", "UserId": "1:me"}


def without(*actions: str, but_own: bool = False) -> Any:
    """A simulator that denies actions; perhaps not on what the platform makes."""

    def simulate(parameters: Any) -> dict[str, Any]:
        is_own = but_own and any("eksml-startup" in arn for arn in parameters["ResourceArns"])
        answer = _allowed(parameters)
        for result in answer["EvaluationResults"]:
            if result["EvalActionName"] in actions and not is_own:
                result["EvalDecision"] = "implicitDeny"
        return answer

    return simulate


def asked(**replies: Any) -> list[Any]:
    given = {**READY, **{name.replace("_", ".", 1): reply for name, reply in replies.items()}}
    with moto_account(given) as (account, _):
        return answers(permissions, basis_of(plan_with("startup")), "permissions", account)


def test_what_may_not_be_done_is_listed_by_service() -> None:
    given = asked(iam_SimulatePrincipalPolicy=without("iam:CreateRole", "iam:PassRole", "eks:CreateCluster"))
    assert [(answer.status, answer.text) for answer in given] == [
        (Status.ERROR, "not allowed: eks:CreateCluster"),
        (Status.ERROR, "not allowed: iam:CreateRole, iam:PassRole"),
    ]


def test_what_may_be_done_to_names_of_the_platform_alone_is_allowed() -> None:
    (answer,) = asked(iam_SimulatePrincipalPolicy=without("iam:CreateRole", "eks:CreateCluster", but_own=True))
    assert answer.status is Status.OK


def test_who_may_not_simulate_is_told_so() -> None:
    with moto_account({**READY, "iam.SimulatePrincipalPolicy": found("AccessDenied")}) as (account, _):
        from eksml.preflight.run import _answers

        (question,) = permissions.questions(basis_of(plan_with("startup")))
        (answer,) = _answers(question, account)
    assert answer.status is Status.NOT_KNOWN
    assert answer.text == "your credentials may not ask iam:SimulatePrincipalPolicy"


def test_a_session_is_simulated_as_its_role_wherever_that_lies() -> None:
    seen: list[str] = []

    def simulate(parameters: Any) -> dict[str, Any]:
        seen.append(parameters["PolicySourceArn"])
        return _allowed(parameters)

    role = {"Role": {"RoleName": "Deployer", "Arn": "arn:aws:iam::123456789012:role/ci/Deployer"}}
    asked(sts_GetCallerIdentity=SESSION, iam_GetRole=role, iam_SimulatePrincipalPolicy=simulate)
    assert set(seen) == {"arn:aws:iam::123456789012:role/ci/Deployer"}
    seen.clear()
    asked(sts_GetCallerIdentity=SESSION, iam_GetRole=found("AccessDenied"), iam_SimulatePrincipalPolicy=simulate)
    assert set(seen) == {"arn:aws:iam::123456789012:role/Deployer"}


def test_credentials_that_the_simulator_does_not_know_are_not_known() -> None:
    (answer,) = asked(sts_GetCallerIdentity=FEDERATED)
    assert answer.status is Status.NOT_KNOWN


def test_the_root_user_is_a_warning() -> None:
    (answer,) = asked(sts_GetCallerIdentity=ROOT_USER)
    assert answer.status is Status.WARNING


def missing_role(stack: str, role: str, **replies: Any) -> tuple[Status, str]:
    given = {**READY, "iam.GetRole": found("NoSuchEntity"), **replies}
    with moto_account(given) as (account, _):
        return one(service_roles, basis_of(plan_with(stack)), f"the role {role}", account)


def test_spot_alone_without_its_role_is_an_error_with_the_command() -> None:
    status, text = missing_role("research", "AWSServiceRoleForEC2Spot")
    assert status is Status.ERROR
    assert "train gets no nodes | aws iam create-service-linked-role --aws-service-name spot.amazonaws.com" in text


def test_spot_before_on_demand_without_its_role_is_a_warning() -> None:
    assert missing_role("startup", "AWSServiceRoleForEC2Spot")[0] is Status.WARNING


def test_a_role_that_aws_makes_itself_is_well_for_those_who_may() -> None:
    status, text = missing_role("startup", "AWSServiceRoleForAmazonEKSNodegroup")
    assert (status, text) == (Status.OK, "not there; AWS makes it with the first use | ")
    denied = {"iam.SimulatePrincipalPolicy": without("iam:CreateServiceLinkedRole")}
    assert missing_role("startup", "AWSServiceRoleForAmazonEKSNodegroup", **denied)[0] is Status.ERROR
    unknown = {"iam.SimulatePrincipalPolicy": found("AccessDenied")}
    assert missing_role("startup", "AWSServiceRoleForAmazonEKSNodegroup", **unknown)[0] is Status.WARNING


@pytest.mark.parametrize("stack", ["research", "production", "startup"])
def test_roles_of_services_that_a_stack_does_not_use_are_not_asked_for(stack: str) -> None:
    names = {each.what for each in service_roles.questions(basis_of(plan_with(stack)))}
    assert "the role AWSServiceRoleForAmazonFSx" not in names
    assert ("the role AWSServiceRoleForRDS" in names) is (stack != "research")


def test_a_role_that_is_there_is_found() -> None:
    role = {"Path": "/", "RoleName": "r" * 4, "RoleId": "A" * 16, "Arn": "arn:aws:iam::1:role/aws", "CreateDate": 0}
    with stubbed("iam", ("get_role", {"Role": role})) as account:
        assert service_roles._exists("rrrr", account)
