"""Logs of containers in CloudWatch."""

import json
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from eksml import names
from eksml.checks.workloads import workloads_of
from eksml.observability.logs import CloudWatchLogs, CloudWatchLogsSpec
from eksml.plan import Plan
from programs import needs, one, recorded
from refusals import check_problems, problems

RELEASE = "kubernetes:helm.sh/v3:Release"
GROUP = "aws:cloudwatch/logGroup:LogGroup"
KEY = "arn:aws:kms:us-west-2:123456789012:key/0123"


def logs(image_registry: str | None = None, **settings: Any) -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        CloudWatchLogs(
            "lab",
            CloudWatchLogsSpec(**settings),
            region="us-west-2",
            cluster_name="lab",
            group_name="/aws/eks/lab/containers",
            tags={"team": "vision"},
            image_registry=image_registry,
            opts=pulumi.ResourceOptions(providers=[provider]),
        )

    return recorded(program)


def values(plan: Plan) -> Any:
    return one(plan, RELEASE).inputs["values"]


def test_the_group_is_ours_with_its_retention_its_key_and_its_tags() -> None:
    group = one(logs(retention_days=90, key_arn=KEY), GROUP).inputs
    assert (group["name"], group["retentionInDays"], group["kmsKeyId"]) == ("/aws/eks/lab/containers", 90, KEY)
    assert group["tags"]["team"] == "vision"
    assert "kmsKeyId" not in one(logs(), GROUP).inputs, "CloudWatch encrypts it anyway"


def test_fluent_bit_comes_after_the_group_and_its_identity_and_makes_no_group_itself() -> None:
    plan = logs()
    before = needs(plan, one(plan, RELEASE))
    assert {one(plan, GROUP).urn, one(plan, "aws:eks/podIdentityAssociation:PodIdentityAssociation").urn} <= before
    assert values(plan)["cloudWatchLogs"]["autoCreateGroup"] is False
    assert values(plan)["cloudWatchLogs"]["logGroupName"] == "/aws/eks/lab/containers"
    assert "logGroupTemplate" not in values(plan)["cloudWatchLogs"]


def test_its_pods_may_write_to_this_group_and_nothing_else() -> None:
    plan = logs()
    association = one(plan, "aws:eks/podIdentityAssociation:PodIdentityAssociation").inputs
    assert association["serviceAccount"] == values(plan)["serviceAccount"]["name"]
    assert association["namespace"] == one(plan, RELEASE).inputs["namespace"] == "kube-system"
    (statement,) = json.loads(one(plan, "aws:iam/rolePolicy:RolePolicy").inputs["policy"])["Statement"]
    assert set(statement["Action"]) == {"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"}
    arn = "arn:aws:logs:us-west-2:123456789012:log-group:/aws/eks/lab/containers"
    assert statement["Resource"] == [arn, f"{arn}:*"]


def test_a_stream_is_a_container_by_its_namespace_pod_and_name() -> None:
    template = values(logs())["cloudWatchLogs"]["logStreamTemplate"]
    assert template == "$kubernetes['namespace_name'].$kubernetes['pod_name'].$kubernetes['container_name']"


def test_it_runs_on_every_node_and_brings_no_host_engine_of_dcgm() -> None:
    plan = logs()
    (workload,) = workloads_of(plan)
    assert (workload.kind, workload.meant_for) == ("DaemonSet", "all")
    assert names.gpu_toleration() in values(plan)["tolerations"]
    assert {"requests", "limits"} <= set(values(plan)["resources"])
    assert "dcgm" not in str(plan.resources).lower(), "one host engine for each node"


def test_image_and_chart_can_come_from_a_registry_of_ones_own() -> None:
    mirrored = one(logs(image_registry="registry.example.com"), RELEASE).inputs
    assert mirrored["chart"].startswith("oci://registry.example.com/")
    assert mirrored["values"]["image"]["repository"].startswith("registry.example.com/public.ecr.aws/")


def test_a_retention_that_cloudwatch_does_not_have_is_refused() -> None:
    check_problems(problems(CloudWatchLogsSpec, {"retentionDays": 31}), ["retentionDays: 31 given, must be"])
