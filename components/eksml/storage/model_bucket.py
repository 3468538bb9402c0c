"""The model bucket: models, checkpoints and data sets in S3, with identities to read and to write."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

import pulumi
import pulumi_aws as aws
from pydantic import Field

from eksml import names
from eksml.cluster.pod_identity import PodIdentity, PodIdentitySpec, ServiceAccountSpec
from eksml.component import Component, Tags
from eksml.errors import Problem, SpecError, listed, repetitions
from eksml.spec import BucketName, Flag, KeyArn, Spec

# S3 keeps these for kinds of bucket of its own.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_RESERVED_BEGINNINGS = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_ENDINGS = ("-s3alias", "--ol-s3", "--x-s3", "--table-s3")

_ABORT_UPLOADS_AFTER_DAYS = 7


class ModelBucketSpec(Spec):
    """A bucket for models, and who may read and write it."""

    name: BucketName | None = None
    """Name of the bucket, which no other bucket of AWS has; by default a name is made up."""
    key_arn: KeyArn | None = None
    """ARN of the KMS key that encrypts objects; by default S3's own keys, which cost nothing and need no rights."""
    keep_old_versions_days: Annotated[int, Field(strict=True, ge=1, le=3650)] = 30
    """Days for which what was overwritten or deleted can be brought back, from 1 to 3650."""
    force_destroy: Flag = False
    """Whether destroying the bucket deletes what is in it; if not, a bucket that holds something refuses to go."""
    readers: tuple[ServiceAccountSpec, ...] = ()
    """Service accounts whose pods may list and read the whole bucket."""
    writers: tuple[ServiceAccountSpec, ...] = ()
    """Service accounts whose pods may read, write and delete in the whole bucket."""

    def rules(self) -> Iterator[Problem]:
        """S3's limits on names, and one identity for each service account."""
        yield from _name_problems(self.name)
        readers, writers = [_words(account) for account in self.readers], [_words(account) for account in self.writers]
        yield from repetitions(("readers",), readers)
        yield from repetitions(("writers",), writers)
        for index, reader in enumerate(readers):
            if reader in writers:
                yield Problem(("readers", index), f"'{reader}' is one of writers, who read too: it has one identity")


class ModelBucket(Component):
    """A versioned, encrypted bucket that nobody reaches from outside the account or without TLS.

    Without a key of its own it uses SSE-S3: AWS's managed KMS key would protect it no better, but charge for requests,
    and GPU nodes that load a model all at once could exceed KMS's rate.

    Arguments:
        spec: the bucket, its readers and writers.
        cluster_name: name of the EKS cluster, needed only for readers and writers.
        tags: tags for every AWS resource.

    Attributes:
        bucket_name, arn: of the bucket.
        read_policy: an IAM policy document as JSON: list and read the whole bucket.
    """

    def __init__(
        self,
        name: str,
        spec: ModelBucketSpec,
        *,
        cluster_name: pulumi.Input[str] | None = None,
        tags: Tags | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:storage:ModelBucket", name, spec, opts, tags)
        self._spec = spec
        bucket = aws.s3.Bucket(
            name,
            bucket=spec.name,
            force_destroy=spec.force_destroy,
            tags=self.tagged(spec.name or name),
            opts=self.child(),
        )
        self.bucket_name: pulumi.Output[str] = bucket.bucket
        self.arn: pulumi.Output[str] = bucket.arn
        self._encrypt()
        self._keep_versions()
        self._close()
        self.read_policy: pulumi.Output[str] = self.arn.apply(lambda arn: _policy(_read_statements(arn, spec.key_arn)))
        self._identities(cluster_name)
        self.register_outputs({"bucketName": self.bucket_name, "arn": self.arn})

    def read_write_policy(self, prefix: str = "") -> pulumi.Output[str]:
        """An IAM policy document as JSON: list and read the whole bucket, write and delete below a prefix.

        A prefix is a folder, such as `teams/vision/`; none given: the whole bucket. Old versions cannot be deleted, so
        that whatever a writer does can be undone for `keepOldVersionsDays`.
        """
        key = self._spec.key_arn
        return self.arn.apply(
            lambda arn: _policy([*_read_statements(arn, key), *_write_statements(arn, prefix.strip("/"), key)])
        )

    def _encrypt(self) -> None:
        key = self._spec.key_arn
        algorithm: Any = {"sse_algorithm": "aws:kms", "kms_master_key_id": key} if key else {"sse_algorithm": "AES256"}
        aws.s3.BucketServerSideEncryptionConfiguration(
            self.resource_name,
            bucket=self.bucket_name,
            # A bucket key asks KMS once in a while instead of once for each object.
            rules=[{"apply_server_side_encryption_by_default": algorithm, "bucket_key_enabled": key is not None}],
            opts=self.child(),
        )

    def _keep_versions(self) -> None:
        versioning = aws.s3.BucketVersioning(
            self.resource_name,
            bucket=self.bucket_name,
            versioning_configuration={"status": "Enabled"},
            opts=self.child(),
        )
        aws.s3.BucketLifecycleConfiguration(
            self.resource_name,
            bucket=self.bucket_name,
            rules=_lifecycle_rules(self._spec.keep_old_versions_days),
            opts=self.child(depends_on=[versioning]),
        )

    def _close(self) -> None:
        """Nobody from outside, nothing without TLS, and whatever is written belongs to the account."""
        aws.s3.BucketOwnershipControls(
            self.resource_name,
            bucket=self.bucket_name,
            rule={"object_ownership": "BucketOwnerEnforced"},
            opts=self.child(),
        )
        block = aws.s3.BucketPublicAccessBlock(
            self.resource_name,
            bucket=self.bucket_name,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self.child(),
        )
        aws.s3.BucketPolicy(
            self.resource_name,
            bucket=self.bucket_name,
            policy=self.arn.apply(lambda arn: _policy([_tls_only(arn)])),
            # S3 refuses to change both at a time.
            opts=self.child(depends_on=[block]),
        )

    def _identities(self, cluster_name: pulumi.Input[str] | None) -> None:
        spec = self._spec
        if cluster_name is None:
            if spec.readers or spec.writers:
                reason = "readers and writers have their identities from a cluster"
                raise SpecError([Problem((), f"the argument cluster_name is missing: {reason}")])
            return
        for accounts, kind, policy in (
            (spec.readers, "reader", self.read_policy),
            (spec.writers, "writer", self.read_write_policy()),
        ):
            for account in accounts:
                PodIdentity(
                    # Short, for a role's name has 64 characters, and the same wherever in the list it stands.
                    f"{self.resource_name}-{kind}-{names.short_hash(_words(account))}",
                    PodIdentitySpec(namespace=account.namespace, service_account=account.name),
                    cluster_name=cluster_name,
                    policy=policy,
                    tags=self.own_tags,
                    opts=self.child(),
                )


def _words(account: ServiceAccountSpec) -> str:
    return f"{account.namespace}/{account.name}"


def _name_problems(name: str | None) -> Iterator[Problem]:
    if name and name.startswith(_RESERVED_BEGINNINGS):
        yield Problem(("name",), f"'{name}' given, must not begin with {listed(_RESERVED_BEGINNINGS)}: S3 keeps them")
    if name and name.endswith(_RESERVED_ENDINGS):
        yield Problem(("name",), f"'{name}' given, must not end with {listed(_RESERVED_ENDINGS)}: S3 keeps them")


def _lifecycle_rules(keep_old_versions_days: int) -> list[Any]:
    everything = {"status": "Enabled", "filter": {"prefix": ""}}
    return [
        {
            "id": "old-versions",
            **everything,
            "noncurrent_version_expiration": {"noncurrent_days": keep_old_versions_days},
            # What is left of a deleted object once its last version is gone.
            "expiration": {"expired_object_delete_marker": True},
        },
        {
            "id": "unfinished-uploads",
            **everything,
            "abort_incomplete_multipart_upload": {"days_after_initiation": _ABORT_UPLOADS_AFTER_DAYS},
        },
    ]


def _policy(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _tls_only(bucket_arn: str) -> dict[str, Any]:
    return {
        "Sid": "RefuseUnencrypted",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket_arn, f"{bucket_arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def _read_statements(bucket_arn: str, key_arn: str | None) -> list[dict[str, Any]]:
    return [
        {
            "Sid": "ListBucket",
            "Effect": "Allow",
            "Action": ["s3:GetBucketLocation", "s3:ListBucket"],
            "Resource": bucket_arn,
        },
        {"Sid": "ReadObjects", "Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{bucket_arn}/*"},
        *_key_statements("ReadEncrypted", ["kms:Decrypt"], key_arn),
    ]


def _write_statements(bucket_arn: str, folder: str, key_arn: str | None) -> list[dict[str, Any]]:
    return [
        {
            "Sid": "WriteObjects",
            "Effect": "Allow",
            "Action": ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:PutObject"],
            "Resource": f"{bucket_arn}/{folder}/*" if folder else f"{bucket_arn}/*",
        },
        *_key_statements("WriteEncrypted", ["kms:GenerateDataKey"], key_arn),
    ]


def _key_statements(sid: str, actions: list[str], key_arn: str | None) -> list[dict[str, Any]]:
    """Rights on the key, only for what S3 does on the caller's behalf. The key's policy must leave them to IAM."""
    if key_arn is None:
        return []
    through_s3 = {"StringLike": {"kms:ViaService": "s3.*"}}
    return [{"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": key_arn, "Condition": through_s3}]
