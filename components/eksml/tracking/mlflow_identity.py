"""What MLflow's pods may do in AWS: a folder of a bucket, and the secret of the database."""

from __future__ import annotations

import json
from typing import Any

import pulumi

from eksml.catalog import partition
from eksml.storage.postgresql import DatabaseAccess


def policy(
    bucket: pulumi.Input[str], prefix: str, key_arn: str | None, database: DatabaseAccess, region: str
) -> pulumi.Output[str]:
    """An IAM policy document as JSON: to read and write below a prefix, and to read one secret."""
    known = pulumi.Output.all(bucket=bucket, secret_arn=database.secret_arn, secret_key_arn=database.key_arn)
    return known.apply(lambda values: _policy(partition(region), prefix.strip("/"), key_arn, **values))


def _policy(
    aws: str, prefix: str, key_arn: str | None, *, bucket: str, secret_arn: str, secret_key_arn: str | None
) -> str:
    bucket_arn = f"arn:{aws}:s3:::{bucket}"
    statements = [
        {
            "Sid": "ListArtifacts",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": bucket_arn,
            "Condition": {"StringLike": {"s3:prefix": [prefix, f"{prefix}/*"]}},
        },
        {
            "Sid": "Artifacts",
            "Effect": "Allow",
            "Action": [
                "s3:AbortMultipartUpload",
                "s3:DeleteObject",
                "s3:GetObject",
                "s3:ListMultipartUploadParts",
                "s3:PutObject",
            ],
            "Resource": f"{bucket_arn}/{prefix}/*",
        },
        {
            "Sid": "DatabasePassword",
            "Effect": "Allow",
            "Action": ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
            "Resource": secret_arn,
        },
        *_key("ArtifactsKey", ["kms:Decrypt", "kms:GenerateDataKey"], key_arn, "s3.*"),
        *_key("PasswordKey", ["kms:Decrypt"], secret_key_arn, "secretsmanager.*"),
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _key(sid: str, actions: list[str], key_arn: str | None, service: str) -> list[dict[str, Any]]:
    if key_arn is None:
        return []
    through = {"StringLike": {"kms:ViaService": service}}
    return [{"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": key_arn, "Condition": through}]
