"""Logs of all containers in CloudWatch, by Fluent Bit on every node."""

from __future__ import annotations

import json
from typing import Any, Literal

import pulumi
import pulumi_aws as aws

from eksml import names
from eksml.cluster.new_cluster import RetentionDays
from eksml.cluster.pod_identity import PodIdentity, PodIdentitySpec
from eksml.component import Component, Tags
from eksml.controllers import resources
from eksml.spec import KeyArn, Spec

_CHART = "aws-for-fluent-bit"
_SERVICE_ACCOUNT = "fluent-bit"


class CloudWatchLogsSpec(Spec):
    """What containers write goes to CloudWatch, which charges for what it takes and for what it keeps."""

    kind: Literal["cloudWatch"] = "cloudWatch"
    retention_days: RetentionDays = 30
    """Days to keep it, one of the periods that CloudWatch has."""
    key_arn: KeyArn | None = None
    """ARN of the KMS key that encrypts it, which has to let CloudWatch Logs use it; by default its own."""


class CloudWatchLogs(Component):
    """A log group, and Fluent Bit on every node, which may write to this group and nothing else.

    A stream is a container: NAMESPACE.POD.CONTAINER. The group goes with the component.

    Arguments:
        spec: how long logs are kept, and by which key.
        region: the AWS region.
        cluster_name: name of the EKS cluster.
        group_name: name of the log group.
        tags: tags for every AWS resource.
        image_registry: a registry that image and chart come from, instead of their own.
    """

    def __init__(
        self,
        name: str,
        spec: CloudWatchLogsSpec,
        *,
        region: str,
        cluster_name: pulumi.Input[str],
        group_name: str,
        tags: Tags | None = None,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:observability:CloudWatchLogs", name, spec, opts, tags, image_registry)
        group = aws.cloudwatch.LogGroup(
            name,
            name=group_name,
            retention_in_days=spec.retention_days,
            kms_key_id=spec.key_arn,
            tags=self.tagged(name),
            opts=self.child(),
        )
        identity = PodIdentity(
            name,
            PodIdentitySpec(namespace=names.SYSTEM_NAMESPACE, service_account=_SERVICE_ACCOUNT),
            cluster_name=cluster_name,
            policy=group.arn.apply(_policy),
            tags=self.own_tags,
            opts=self.child(),
        )
        self.helm_release(_CHART, _values(region, group_name), depends_on=[group, identity])
        self.group_name = group_name
        self.register_outputs({"groupName": group_name})


def _policy(group_arn: str) -> str:
    actions = [f"logs:{action}" for action in ("CreateLogStream", "DescribeLogStreams", "PutLogEvents")]
    write = {"Effect": "Allow", "Action": actions, "Resource": [group_arn, f"{group_arn}:*"]}
    return json.dumps({"Version": "2012-10-17", "Statement": [write]})


def _values(region: str, group_name: str) -> dict[str, Any]:
    return {
        "serviceAccount": {"name": _SERVICE_ACCOUNT},
        # What a pod says of itself may be longer than the default, and would be missing.
        "filter": {"bufferSize": "0"},
        "cloudWatchLogs": {
            "region": region,
            "logGroupName": group_name,
            # The group is there, with its retention; one that it made itself would be kept for ever.
            "autoCreateGroup": False,
            "logStreamTemplate": "$kubernetes['namespace_name'].$kubernetes['pod_name'].$kubernetes['container_name']",
        },
        "tolerations": names.tolerations_of_storage(),
        "resources": resources("50m", "64Mi", "256Mi"),
    }
