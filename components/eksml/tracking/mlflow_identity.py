"""What MLflow's pods may do in AWS: servers have a folder of a bucket, and who signs in to the database its secret."""

from __future__ import annotations

import json
from typing import Any

import pulumi

from eksml.catalog import partition
from eksml.storage.postgresql import DatabaseAccess

Statements = pulumi.Output[list[dict[str, Any]]]


def artifacts_statements(bucket: pulumi.Input[str], prefix: str, key_arn: str | None, region: str) -> Statements:
    """To read and write below a prefix of a bucket."""
    given = pulumi.Output.from_input(bucket)
    return given.apply(lambda name: _artifacts(f"arn:{partition(region)}:s3:::{name}", prefix.strip("/"), key_arn))


def secret_statements(database: DatabaseAccess) -> Statements:
    """To read the secret of a database."""
    return pulumi.Output.all(secret_arn=database.secret_arn, key_arn=database.key_arn).apply(
        lambda known: _secret(**known)
    )


def policy(*statements: Statements) -> pulumi.Output[str]:
    """An IAM policy document as JSON."""
    return pulumi.Output.all(*statements).apply(
        lambda lists: json.dumps({"Version": "2012-10-17", "Statement": [each for some in lists for each in some]})
    )


def _artifacts(bucket_arn: str, prefix: str, key_arn: str | None) -> list[dict[str, Any]]:
    return [
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
        *_key("ArtifactsKey", ["kms:Decrypt", "kms:GenerateDataKey"], key_arn, "s3.*"),
    ]


def _secret(secret_arn: str, key_arn: str | None) -> list[dict[str, Any]]:
    return [
        {
            "Sid": "DatabasePassword",
            "Effect": "Allow",
            "Action": ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
            "Resource": secret_arn,
        },
        *_key("PasswordKey", ["kms:Decrypt"], key_arn, "secretsmanager.*"),
    ]


def _key(sid: str, actions: list[str], key_arn: str | None, service: str) -> list[dict[str, Any]]:
    if key_arn is None:
        return []
    through = {"StringLike": {"kms:ViaService": service}}
    return [{"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": key_arn, "Condition": through}]
