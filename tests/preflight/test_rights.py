"""What the credentials may do, and the roles of AWS's services."""

from typing import Any

import pulumi_aws as aws
import pytest

from eksml.preflight import permissions, service_roles, simulation
from eksml.preflight.finding import Status
from preflight.accounts import REGION, answers, basis_of, found, moto_account, one, plan_with, stubbed
from preflight.replies import READY, _allowed
from programs import recorded

pytestmark = pytest.mark.slow

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


def least(*allowed: str, conditions: tuple[str, ...] = ()) -> Any:
    """A simulator of a policy that has everything but IAM's, which it has for some ARNs, perhaps under conditions."""

    def simulate(parameters: Any) -> dict[str, Any]:
        results = [
            {
                "EvalActionName": action,
                "EvalResourceName": arn,
                "EvalDecision": "allowed"
                if not action.startswith("iam:") or (not conditions and arn.startswith(allowed))
                else "implicitDeny",
                "MissingContextValues": list(conditions) if action.startswith("iam:") else [],
            }
            for action in parameters["ActionNames"]
            for arn in parameters["ResourceArns"]
        ]
        return {"EvaluationResults": results, "IsTruncated": False}

    return simulate


def test_roles_of_the_platforms_name_may_be_all_that_a_policy_has() -> None:
    """To attach a policy, and to hand a role to a service, are both on the role, whose name begins so."""
    own = ("arn:aws:iam::123456789012:role/eksml-startup-", "arn:aws:iam::123456789012:instance-profile/eksml-startup-")
    (answer,) = asked(iam_SimulatePrincipalPolicy=least(*own))
    assert answer.status is Status.OK, answer
    given = asked(iam_SimulatePrincipalPolicy=least("arn:aws:iam::123456789012:role/others-"))
    assert [answer.status for answer in given] == [Status.ERROR, Status.WARNING, Status.WARNING]


def test_what_rests_on_conditions_is_not_known_and_names_them() -> None:
    (answer,) = asked(iam_SimulatePrincipalPolicy=least(conditions=("iam:PassedToService",)))
    assert answer.status is Status.NOT_KNOWN
    assert "iam:PassRole" in answer.text
    assert "iam:PassedToService" in answer.advice


def test_what_is_made_under_names_that_are_not_known_is_not_known() -> None:
    (answer,) = asked(iam_SimulatePrincipalPolicy=without("secretsmanager:CreateSecret"))
    assert (answer.status, answer.text) == (
        Status.NOT_KNOWN,
        "allowed only under conditions: secretsmanager:CreateSecret",
    )


def test_what_may_be_made_and_not_destroyed_is_a_warning() -> None:
    (answer,) = asked(iam_SimulatePrincipalPolicy=without("ec2:DeleteVpc"))
    assert (answer.status, answer.text) == (Status.WARNING, "`pulumi destroy` may not: ec2:DeleteVpc")


def test_what_may_be_made_and_not_changed_is_a_warning_of_its_own() -> None:
    """Credentials that were given what the first `pulumi up` takes, and fail at the first change."""
    denied = without("eks:UpdateNodegroupConfig", "eks:UpdateClusterVersion", "iam:UntagRole")
    given = asked(iam_SimulatePrincipalPolicy=denied)
    assert [(answer.status, answer.text) for answer in given] == [
        (Status.WARNING, "a later `pulumi up` may not: eks:UpdateClusterVersion, eks:UpdateNodegroupConfig"),
        (Status.WARNING, "a later `pulumi up` may not: iam:UntagRole"),
    ]


def test_what_both_a_change_and_the_end_take_is_told_of_both() -> None:
    given = asked(iam_SimulatePrincipalPolicy=without("ec2:RevokeSecurityGroupIngress"))
    assert [answer.text for answer in given] == [
        "a later `pulumi up` may not: ec2:RevokeSecurityGroupIngress",
        "`pulumi destroy` may not: ec2:RevokeSecurityGroupIngress",
    ]


def test_a_stack_takes_few_calls_of_the_simulator() -> None:
    with moto_account(READY) as (account, calls):
        answers(permissions, basis_of(plan_with("production")), "permissions", account)
    assert calls.count("SimulatePrincipalPolicy") <= 6


@pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_in_another_partition_its_own_arns_and_its_own_region_of_iam_are_asked_for(region: str, partition: str) -> None:
    """A policy there is for arn:aws-cn:…, so what is asked of arn:aws:… is denied whoever asks."""
    plan = recorded(lambda: aws.sqs.Queue("jobs", name="jobs", region=region))
    seen: list[str] = []

    def simulate(parameters: Any) -> dict[str, Any]:
        (entry,) = parameters["ContextEntries"]
        seen.extend(entry["ContextKeyValues"])
        answer = _allowed(parameters)
        for result in answer["EvaluationResults"]:
            result["EvalDecision"] = "implicitDeny"
            if all(arn.startswith(f"arn:{partition}:sqs:{region}:123456789012:") for arn in parameters["ResourceArns"]):
                result["EvalDecision"] = "allowed"
        return answer

    with moto_account({**READY, "iam.SimulatePrincipalPolicy": simulate}, region) as (account, _):
        (answer,) = answers(permissions, basis_of(plan), "permissions", account)
        assert answer.status is Status.OK, answer
        simulation.decisions(["iam:CreateRole"], account)
    assert seen[-1] == {"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}[partition]


def test_the_simulator_is_told_the_region_of_each_request() -> None:
    seen: dict[str, str] = {}

    def simulate(parameters: Any) -> dict[str, Any]:
        (entry,) = parameters["ContextEntries"]
        assert entry["ContextKeyName"] == "aws:RequestedRegion"
        seen.update(dict.fromkeys(parameters["ActionNames"], entry["ContextKeyValues"][0]))
        return _allowed(parameters)

    asked(iam_SimulatePrincipalPolicy=simulate)
    assert (seen["ec2:CreateVpc"], seen["eks:CreateCluster"], seen["iam:CreateRole"]) == (REGION, REGION, "us-east-1")


def test_an_scp_is_called_one() -> None:
    def simulate(parameters: Any) -> dict[str, Any]:
        answer = without("eks:CreateCluster")(parameters)
        for result in answer["EvaluationResults"]:
            is_allowed = result["EvalDecision"] == "allowed"
            result["OrganizationsDecisionDetail"] = {"AllowedByOrganizations": is_allowed}
        return answer

    (answer,) = asked(iam_SimulatePrincipalPolicy=simulate)
    assert answer.status is Status.ERROR
    assert "SCP of the organization" in answer.advice


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
    for_some = {"iam.SimulatePrincipalPolicy": least(conditions=("iam:AWSServiceName",))}
    assert missing_role("startup", "AWSServiceRoleForAmazonEKSNodegroup", **for_some)[0] is Status.WARNING
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
