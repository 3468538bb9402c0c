"""What a preview is measured against: the same SDK modules, and the same resources under Pulumi's own mocks."""

import json
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_eks as eks
import pulumi_kubernetes as k8s
from pulumi.runtime import mocks

GOLDEN = Path(__file__).parents[1] / "golden" / "research" / "plan.json"

# The SDKs load a module when something in it is named.
LOADED = (
    aws.cloudwatch.EventRule,
    aws.ec2.Vpc,
    aws.eks.Addon,
    aws.iam.Role,
    aws.kms.Key,
    aws.sqs.Queue,
    eks.Cluster,
    k8s.apiextensions.CustomResource,
    k8s.core.v1.Namespace,
    k8s.helm.v3.Release,
    k8s.meta.v1.ObjectMetaArgs,
    k8s.node.v1.RuntimeClass,
    k8s.storage.v1.StorageClass,
)


class Echo(mocks.Mocks):
    """Gives inputs back as outputs."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Gives inputs back as outputs."""
        return f"{args.name}-id", args.inputs

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], None]:
        """Knows nothing."""
        return {}, None


mocks.set_mocks(Echo())


@mocks.test
def program() -> None:
    """Registers each resource of the research stack, with its inputs."""
    for number, resource in enumerate(json.loads(GOLDEN.read_text(encoding="utf-8"))["resources"]):
        pulumi.CustomResource(resource["type"], f"{resource['name']}-{number}", resource["inputs"])


program()
