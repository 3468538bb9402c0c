"""Names that are taken: what a Plan gives a name of its own, and what is there by that name already."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from eksml.preflight.account import Account, Refused
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


def _cluster(name: str, basis: Basis, account: Account) -> Iterator[Answer]:
    try:
        cluster = account.ask("eks", "describe_cluster", name=name)["cluster"]
    except Refused as refusal:
        yield _free_if(refusal, "ResourceNotFoundException")
        return
    yield _own_or_taken(basis.is_own(cluster.get("tags")), "give the platform another name, or destroy that cluster")


def _log_group(name: str, basis: Basis, account: Account) -> Iterator[Answer]:
    groups = account.all("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=name)
    group = next((each for each in groups if each["logGroupName"] == name), None)
    if group is None:
        yield ok(_FREE)
        return
    arn = group.get("logGroupArn") or group["arn"].removesuffix(":*")
    tags = account.ask("logs", "list_tags_for_resource", resourceArn=arn)["tags"]
    yield _own_or_taken(
        basis.is_own(tags),
        f"keep what it has with `pulumi import aws:cloudwatch/logGroup:LogGroup`, or delete it: "
        f"aws logs delete-log-group --region {account.region} --log-group-name {name}",
    )


def _bucket(name: str, basis: Basis, account: Account) -> Iterator[Answer]:
    another = "choose another name: those of buckets are AWS's, not the account's"
    try:
        account.ask("s3", "head_bucket", Bucket=name)
    except Refused as refusal:
        # What is not yours, and what you may not see, is 403; what lies in another region is 301.
        yield error("taken", another) if refusal.code in ("301", "403") else _free_if(refusal, "404", "NoSuchBucket")
        return
    try:
        tags = account.ask("s3", "get_bucket_tagging", Bucket=name)["TagSet"]
    except Refused as refusal:
        if refusal.code != "NoSuchTagSet":
            raise
        tags = []
    yield _own_or_taken(basis.is_own(tags), another)


def _database(name: str, basis: Basis, account: Account) -> Iterator[Answer]:
    try:
        found = account.ask("rds", "describe_db_instances", DBInstanceIdentifier=name)["DBInstances"][0]
    except Refused as refusal:
        yield _free_if(refusal, "DBInstanceNotFound", "DBInstanceNotFoundFault")
        return
    yield _own_or_taken(basis.is_own(found.get("TagList")), "give the platform another name, or rename that database")


def _snapshot(name: str, account: Account) -> Iterator[Answer]:
    try:
        account.ask("rds", "describe_db_snapshots", DBSnapshotIdentifier=name)
    except Refused as refusal:
        yield _free_if(refusal, "DBSnapshotNotFound", "DBSnapshotNotFoundFault")
        return
    yield warning(
        "there, of a database that was destroyed: the next `pulumi destroy` cannot make its own",
        f"copy it to another name, then: aws rds delete-db-snapshot --region {account.region} "
        f"--db-snapshot-identifier {name}",
    )


def _sign_in_page(name: str, account: Account) -> Iterator[Answer]:
    found = account.ask("cognito-idp", "describe_user_pool_domain", Domain=name).get("DomainDescription") or {}
    if found.get("UserPoolId"):
        yield warning(f"there already, of the user pool {found['UserPoolId']}", "choose another one if it is not yours")
    else:
        yield ok("nobody in this account has it")


def _free_if(refusal: Refused, *codes: str) -> Answer:
    if refusal.code not in codes:
        raise refusal
    return ok(_FREE)


def _own_or_taken(is_own: bool, advice: str) -> Answer:
    return ok(_OWN) if is_own else error("taken by something that is not this platform's", advice)
