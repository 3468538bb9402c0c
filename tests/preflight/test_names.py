"""Names that are taken, and what a stack names that must be there."""

from datetime import UTC, datetime
from typing import Any

import pytest

from eksml.account import Account, Refused
from eksml.preflight import certificates, existing_names, references
from eksml.preflight.finding import Status
from preflight.accounts import answers, basis_of, found, moto_account, one, plan_with
from preflight.replies import READY

pytestmark = pytest.mark.slow

OWN = {"eksml:platform": "eksml-production"}
LOGS = "/aws/eks/eksml-production/cluster"
ARN = "arn:aws:acm:us-west-2:123456789012:certificate/0123"
ZONE = "Z0123456789ABCDEFGHIJ"


def client(account: Account, service: str) -> Any:
    """A client that may write, behind the back of the account."""
    return account._session.client(service)


def taken(what: str, account: Account, settings: str = "{}") -> Status:
    return one(existing_names, basis_of(plan_with("production", settings)), what, account)[0]


@pytest.mark.parametrize(("tags", "status"), [(OWN, Status.OK), ({}, Status.ERROR)])
def test_a_cluster_of_the_name_is_this_platforms_or_an_error(tags: dict[str, str], status: Status) -> None:
    with moto_account(READY) as (account, _):
        client(account, "eks").create_cluster(
            name="eksml-production",
            roleArn="arn:aws:iam::123456789012:role/cluster",
            resourcesVpcConfig={"subnetIds": []},
            tags=tags,
        )
        assert taken("the name of the cluster", account) is status


@pytest.mark.parametrize(("tags", "status"), [(OWN, Status.OK), ({}, Status.ERROR)])
def test_a_log_group_that_a_former_cluster_left_is_an_error(tags: dict[str, str], status: Status) -> None:
    with moto_account(READY) as (account, _):
        # Another whose name begins so is none of its business.
        client(account, "logs").create_log_group(logGroupName=f"{LOGS}-old")
        assert taken(f"the name of the log group {LOGS}", account) is Status.OK
        client(account, "logs").create_log_group(logGroupName=LOGS, **({"tags": tags} if tags else {}))
        assert taken(f"the name of the log group {LOGS}", account) is status


def test_a_bucket_that_anybody_has_is_an_error() -> None:
    settings = "storage.modelBucket.name: acme-models"
    what = "the name of the bucket acme-models"
    with moto_account(READY) as (account, _):
        assert taken(what, account, settings) is Status.OK
        place = {"LocationConstraint": "us-west-2"}
        client(account, "s3").create_bucket(Bucket="acme-models", CreateBucketConfiguration=place)
        assert taken(what, account, settings) is Status.ERROR
        tags = {"TagSet": [{"Key": key, "Value": value} for key, value in OWN.items()]}
        client(account, "s3").put_bucket_tagging(Bucket="acme-models", Tagging=tags)
        assert taken(what, account, settings) is Status.OK
    with moto_account({**READY, "s3.HeadBucket": found("403")}) as (account, _):
        assert taken(what, account, settings) is Status.ERROR


def test_a_database_and_a_snapshot_of_the_name_are_found() -> None:
    with moto_account(READY) as (account, _):
        assert taken("the name of the database", account) is Status.OK
        assert taken("the name of the snapshot", account) is Status.OK
        name = "eksml-production-mlflow"
        client(account, "rds").create_db_instance(
            DBInstanceIdentifier=name, DBInstanceClass="db.t4g.medium", Engine="postgres", AllocatedStorage=20
        )
        assert taken("the name of the database", account) is Status.ERROR
        client(account, "rds").create_db_snapshot(DBSnapshotIdentifier=f"{name}-final", DBInstanceIdentifier=name)
        assert taken("the name of the snapshot", account) is Status.WARNING


def test_a_sign_in_page_of_the_name_is_told() -> None:
    page = {"DomainDescription": {"UserPoolId": "us-west-2_abc"}}
    basis = basis_of(plan_with("research"))
    for reply, status in ((page, Status.WARNING), ({"DomainDescription": {}}, Status.OK)):
        with moto_account({**READY, "cognito-idp.DescribeUserPoolDomain": reply}) as (account, _):
            assert one(existing_names, basis, "the name of the sign-in page", account)[0] is status


def gateway(tls: str, host: str = "*.research.example.com") -> str:
    return f"""
gateway: {{externalDns: {{hostedZones: [{ZONE}]}}}}
teams.research.gateway: {{host: "{host}", tls: {tls}}}
"""


def certificate(**changes: Any) -> list[tuple[Status, str]]:
    fact = {
        "DomainName": "research.example.com",
        "SubjectAlternativeNames": ["*.research.example.com"],
        "Status": "ISSUED",
        "NotAfter": datetime(2027, 8, 1, tzinfo=UTC),
        **changes,
    }
    basis = basis_of(plan_with("research", gateway(f'{{kind: certificate, arn: "{ARN}"}}')))
    with moto_account({**READY, "acm.DescribeCertificate": {"Certificate": fact}}) as (account, _):
        given = answers(certificates, basis, "the certificate", account)
    return [(answer.status, answer.text) for answer in given]


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        ({}, Status.OK, "issued for *.research.example.com, research.example.com"),
        ({"Status": "PENDING_VALIDATION"}, Status.ERROR, "is PENDING_VALIDATION"),
        ({"SubjectAlternativeNames": []}, Status.ERROR, "is for research.example.com, not for *.research.example.com"),
        ({"NotAfter": datetime(2026, 12, 1, tzinfo=UTC)}, Status.WARNING, "ends on 2026-12-01"),
    ],
)
def test_a_certificate_fits_or_says_why_not(changes: dict[str, Any], status: Status, text: str) -> None:
    assert certificate(**changes) == [(status, text)]


def test_a_certificate_that_is_not_there_is_an_error() -> None:
    basis = basis_of(plan_with("research", gateway(f'{{kind: certificate, arn: "{ARN}"}}')))
    with moto_account(READY) as (account, _):
        assert one(certificates, basis, "the certificate", account)[0] is Status.ERROR


def test_a_star_stands_for_one_label() -> None:
    assert certificates._covers("*.example.com", "a.example.com")
    assert not certificates._covers("*.example.com", "a.b.example.com")
    assert not certificates._covers("*.example.com", "example.com")


@pytest.mark.parametrize(
    ("zone", "status"),
    [
        ({"Name": "example.com.", "Config": {"PrivateZone": False}}, Status.OK),
        ({"Name": "example.org.", "Config": {"PrivateZone": False}}, Status.ERROR),
        ({"Name": "example.com.", "Config": {"PrivateZone": True}}, Status.ERROR),
        (None, Status.ERROR),
    ],
)
def test_a_hosted_zone_fits_or_says_why_not(zone: dict[str, Any] | None, status: Status) -> None:
    basis = basis_of(plan_with("research", gateway(f"{{kind: hostedZone, zoneId: {ZONE}}}")))
    reply = {"HostedZone": {"Id": ZONE, **zone}} if zone else found("NoSuchHostedZone")
    with moto_account({**READY, "route53.GetHostedZone": reply}) as (account, _):
        assert one(certificates, basis, f"the hosted zone {ZONE}", account)[0] is status


KEY = "arn:aws:kms:us-west-2:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"


@pytest.mark.parametrize(("state", "status"), [("Enabled", Status.OK), ("PendingDeletion", Status.ERROR)])
def test_a_key_that_the_stack_names_is_enabled_or_an_error(state: str, status: Status) -> None:
    basis = basis_of(plan_with("production", f"storage.modelBucket.keyArn: {KEY}"))
    with moto_account({**READY, "kms.DescribeKey": {"KeyMetadata": {"KeyState": state}}}) as (account, _):
        assert one(references, basis, f"the key {KEY}", account)[0] is status
    with moto_account(READY) as (account, _):
        assert one(references, basis, f"the key {KEY}", account)[0] is Status.ERROR


def test_a_bucket_that_the_stack_names_and_does_not_make_must_be_there() -> None:
    settings = "servers.chat.source: {kind: s3, bucket: acme-shared, prefix: models/qwen/}"
    basis = basis_of(plan_with("research", settings))
    with moto_account(READY) as (account, _):
        assert one(references, basis, "the bucket acme-shared", account)[0] is Status.ERROR
        place = {"LocationConstraint": "us-west-2"}
        client(account, "s3").create_bucket(Bucket="acme-shared", CreateBucketConfiguration=place)
        assert one(references, basis, "the bucket acme-shared", account)[0] is Status.OK


@pytest.mark.parametrize("stack", ["research", "production", "startup"])
def test_a_stack_that_names_nothing_of_others_asks_nothing(stack: str) -> None:
    basis = basis_of(plan_with(stack))
    assert [each.what for kind in (certificates, references) for each in kind.questions(basis)] == []


@pytest.mark.parametrize(("tags", "status"), [(OWN, Status.OK), ({}, Status.ERROR)])
def test_a_budget_of_the_name_is_this_platforms_or_an_error(tags: dict[str, str], status: Status) -> None:
    what = "the name of the budget eksml-production"
    listed = {"ResourceTags": [{"Key": key, "Value": value} for key, value in tags.items()]}
    with moto_account({**READY, "budgets.ListTagsForResource": listed}) as (account, _):
        assert taken(what, account) is Status.OK
        budget = {
            "BudgetName": "eksml-production",
            "BudgetType": "COST",
            "TimeUnit": "MONTHLY",
            "BudgetLimit": {"Amount": "1", "Unit": "USD"},
        }
        client(account, "budgets").create_budget(AccountId="123456789012", Budget=budget)
        assert taken(what, account) is status
    denied = {**READY, "budgets.DescribeBudget": found("AccessDeniedException")}
    with moto_account(denied) as (account, _), pytest.raises(Refused, match="budgets:ViewBudget"):
        taken(what, account)
