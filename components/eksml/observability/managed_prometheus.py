"""Amazon Managed Prometheus: where measurements go as well, and are kept for 150 days."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import pulumi
import pulumi_aws as aws

from eksml import names
from eksml.catalog import partition
from eksml.cluster.pod_identity import PodIdentity, PodIdentitySpec
from eksml.component import Component, Tags
from eksml.errors import Problem, SpecError
from eksml.spec import Spec, pattern

_NEW = "new"


class AmazonManagedPrometheusSpec(Spec):
    """A workspace of Amazon Managed Prometheus. It charges for every sample that it takes."""

    kind: Literal["amazonManagedPrometheus"] = "amazonManagedPrometheus"
    workspace: Annotated[str, pattern(r"^(new|ws-[0-9a-f-]{8,64})$", "new, or the id of a workspace, ws-…")] = _NEW
    """The workspace: new, or the id of one of the same account and region."""


class RemoteWrite(Component):
    """A workspace, and the right of Prometheus' pods to write to it and nothing else.

    Arguments:
        spec: the workspace.
        region: its region, which is the cluster's.
        cluster_name: name of the EKS cluster.
        tags: tags for every AWS resource.

    Attributes:
        values: what the chart of Prometheus is told of it.
    """

    def __init__(
        self,
        name: str,
        spec: AmazonManagedPrometheusSpec,
        *,
        region: str | None,
        cluster_name: pulumi.Input[str] | None,
        tags: Tags | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:observability:RemoteWrite", name, spec, opts, tags)
        if region is None or cluster_name is None:
            raise SpecError([Problem(("remoteWrite",), "given, but needs region and cluster_name of the cluster")])
        url, arn = self._workspace(spec, region)
        PodIdentity(
            name,
            PodIdentitySpec(namespace=names.OBSERVABILITY_NAMESPACE, service_account=names.PROMETHEUS_SERVICE_ACCOUNT),
            cluster_name=cluster_name,
            policy=pulumi.Output.from_input(arn).apply(_policy),
            tags=self.own_tags,
            opts=self.child(),
        )
        self.values = _values(url, region, cluster_name)
        self.register_outputs({})

    def _workspace(self, spec: AmazonManagedPrometheusSpec, region: str) -> tuple[pulumi.Input[str], pulumi.Input[str]]:
        """Where measurements are sent, and the ARN of the workspace."""
        if spec.workspace != _NEW:
            address = f"https://aps-workspaces.{region}.amazonaws.com/workspaces/{spec.workspace}/"
            return f"{address}api/v1/remote_write", f"arn:{partition(region)}:aps:{region}:*:workspace/{spec.workspace}"
        made = aws.amp.Workspace(
            self.resource_name,
            alias=self.resource_name,
            tags=self.tagged(self.resource_name),
            opts=self.child(),
        )
        return pulumi.Output.concat(made.prometheus_endpoint, "api/v1/remote_write"), made.arn


def _policy(arn: str) -> str:
    write = {"Effect": "Allow", "Action": "aps:RemoteWrite", "Resource": arn}
    return json.dumps({"Version": "2012-10-17", "Statement": [write]})


def _values(url: pulumi.Input[str], region: str, cluster_name: pulumi.Input[str]) -> dict[str, Any]:
    # https://docs.aws.amazon.com/prometheus/latest/userguide/AMP-onboard-ingest-metrics-new-Prometheus.html
    queue = {"maxSamplesPerSend": 1000, "maxShards": 200, "capacity": 2500}
    return {
        "remoteWrite": [{"url": url, "sigv4": {"region": region}, "queueConfig": queue}],
        # Of several copies that measure the same, by these two labels it takes one.
        # https://docs.aws.amazon.com/prometheus/latest/userguide/AMP-ingest-dedupe.html
        "externalLabels": {"cluster": cluster_name},
        "replicaExternalLabelName": "__replica__",
    }
