"""Names that are taken: what a Plan gives a name of its own, and what is there by that name already."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from eksml import catalog
from eksml.account import Account, Refused
from eksml.preflight.basis import CLUSTER, Basis
from eksml.preflight.finding import Answer, Question, error, ok, warning

_FREE = "the name is free"
_OWN = "there, and this platform's own"


def questions(basis: Basis) -> Iterator[Question]:
    """Whether each name is free, or this platform's already."""
    for resource in basis.whole.of_type(CLUSTER):
        name = str(resource.inputs.get("name"))
        yield Question(f"the name of the cluster {name}", partial(_cluster, name, basis))
    for resource in basis.whole.of_type("aws:cloudwatch/logGroup:LogGroup"):
        if name := resource.inputs.get("name"):
            yield Question(f"the name of the log group {name}", partial(_log_group, name, basis))
    for resource in basis.whole.of_type("aws:s3/bucket:Bucket"):
        if name := resource.inputs.get("bucket"):
            yield Question(f"the name of the bucket {name}", partial(_bucket, name, basis))
    for resource in basis.whole.of_type("aws:rds/instance:Instance"):
        if name := resource.inputs.get("identifier"):
            yield Question(f"the name of the database {name}", partial(_database, name, basis))
        if name := resource.inputs.get("finalSnapshotIdentifier"):
            yield Question(f"the name of the snapshot {name}", partial(_snapshot, name))
    for resource in basis.whole.of_type("aws:cognito/userPoolDomain:UserPoolDomain"):
        if name := resource.inputs.get("domain"):
            yield Question(f"the name of the sign-in page {name}", partial(_sign_in_page, name))
    for resource in basis.whole.of_type("aws:budgets/budget:Budget"):
        if name := resource.inputs.get("name"):
            yield Question(f"the name of the budget {name}", partial(_budget, name, basis))


def _cluster(name: str, basis: Basis, account: Account) -> Iterator[Answer]:
    found = account.find("eks", "describe_cluster", "ResourceNotFoundException", name=name)
    is_own = bool(found) and basis.is_own(found["cluster"].get("tags"))
    yield _judged(found, is_own, "give the platform another name, or destroy that cluster")


def _log_group(name: str, basis: Basis, account: Account) -> Iterator[Answer]:
    groups = account.all("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=name)
    group = next((each for each in groups if each["logGroupName"] == name), None)
    tags = {}
    if group:
        arn = group.get("logGroupArn") or group["arn"].removesuffix(":*")
        tags = account.ask("logs", "list_tags_for_resource", resourceArn=arn)["tags"]
    yield _judged(
        group,
        basis.is_own(tags),
        f"keep what it has with `pulumi import aws:cloudwatch/logGroup:LogGroup`, or delete it: "
        f"aws logs delete-log-group --region {account.region} --log-group-name {name}",
    )


def _bucket(name: str, basis: Basis, account: Account) -> Iterator[Answer]:
    another = "choose another name: those of buckets are AWS's, not the account's"
    try:
        found = account.find("s3", "head_bucket", "404", "NoSuchBucket", Bucket=name)
    except Refused as refusal:
        # What is not yours, and what you may not see, is 403; what lies in another region is 301.
        if refusal.code not in ("301", "403"):
            raise
        yield error("taken", another)
        return
    tags = account.find("s3", "get_bucket_tagging", "NoSuchTagSet", Bucket=name) if found else None
    yield _judged(found, basis.is_own((tags or {}).get("TagSet")), another)


def _database(name: str, basis: Basis, account: Account) -> Iterator[Answer]:
    absent = ("DBInstanceNotFound", "DBInstanceNotFoundFault")
    found = account.find("rds", "describe_db_instances", *absent, DBInstanceIdentifier=name)
    is_own = bool(found) and basis.is_own(found["DBInstances"][0].get("TagList"))
    yield _judged(found, is_own, "give the platform another name, or rename that database")


def _snapshot(name: str, account: Account) -> Iterator[Answer]:
    absent = ("DBSnapshotNotFound", "DBSnapshotNotFoundFault")
    if account.find("rds", "describe_db_snapshots", *absent, DBSnapshotIdentifier=name) is None:
        yield ok(_FREE)
    else:
        yield warning(
            "there, of a database that was destroyed: the next `pulumi destroy` cannot make its own",
            f"copy it to another name, then: aws rds delete-db-snapshot --region {account.region} "
            f"--db-snapshot-identifier {name}",
        )


def _budget(name: str, basis: Basis, account: Account) -> Iterator[Answer]:
    number = account.identity.account
    found = account.find("budgets", "describe_budget", "NotFoundException", AccountId=number, BudgetName=name)
    tags = {}
    if found:
        arn = f"arn:{catalog.partition(account.region)}:budgets::{number}:budget/{name}"
        tags = account.ask("budgets", "list_tags_for_resource", ResourceARN=arn)
    yield _judged(
        found, basis.is_own(tags.get("ResourceTags")), "give the platform another name, or delete that budget"
    )


def _sign_in_page(name: str, account: Account) -> Iterator[Answer]:
    found = account.ask("cognito-idp", "describe_user_pool_domain", Domain=name).get("DomainDescription") or {}
    if found.get("UserPoolId"):
        yield warning(f"there already, of the user pool {found['UserPoolId']}", "choose another one if it is not yours")
    else:
        yield ok("nobody in this account has it")


def _judged(found: object, is_own: bool, advice: str) -> Answer:
    """Of what was found by a name, or None."""
    if found is None:
        return ok(_FREE)
    return ok(_OWN) if is_own else error("taken by something that is not this platform's", advice)
