"""Karpenter: the controller that adds and removes the nodes of elastic pools."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pulumi_aws as aws

from eksml import names
from eksml.catalog import partition
from eksml.cluster.pod_identity import PodIdentity, PodIdentitySpec
from eksml.component import Component, Tags
from eksml.nodes.node_role import NodeRole, NodeRoleSpec
from eksml.spec import Flag, PositiveCount, Region, Spec

# What tells Karpenter that a node is about to go. https://karpenter.sh/docs/reference/cloudformation/#interruption-handling
_INTERRUPTIONS = {
    "health": ("aws.health", "AWS Health Event"),
    "spot": ("aws.ec2", "EC2 Spot Instance Interruption Warning"),
    "rebalance": ("aws.ec2", "EC2 Instance Rebalance Recommendation"),
    "state": ("aws.ec2", "EC2 Instance State-change Notification"),
    "reservation": ("aws.ec2", "EC2 Capacity Reservation Instance Interruption Warning"),
}

_MADE_BY_KARPENTER = ("fleet", "instance", "volume", "network-interface", "launch-template", "spot-instances-request")
_USED_BY_KARPENTER = ("security-group", "subnet", "capacity-reservation", "placement-group")
_DESCRIBED_BY_KARPENTER = (
    "CapacityReservations",
    "Images",
    "Instances",
    "InstanceStatus",
    "InstanceTypeOfferings",
    "InstanceTypes",
    "LaunchTemplates",
    "PlacementGroups",
    "SecurityGroups",
    "SpotPriceHistory",
    "Subnets",
)


class KarpenterSpec(Spec):
    """How the controller runs."""

    region: Region
    """AWS region."""
    replicas: PositiveCount = 2
    """Controller pods, each on a node of its own; the second takes over when the first goes."""
    is_isolated: Flag = False
    """Whether the VPC has no way to the internet: it then does not ask for prices, which have no endpoint."""
    has_vpc_cni_policy: Flag = False
    """Whether the nodes' role has VPC CNI's permissions: needed where VPC CNI has no identity of its own."""


class Karpenter(Component):
    """Karpenter's chart with its CRDs, identity and interruption queue, and the role of the nodes that it makes.

    It runs on nodes that it did not make itself, and needs CoreDNS and the Pod Identity agent.

    Arguments:
        spec: how the controller runs.
        cluster_name, cluster_arn: of the EKS cluster.
        tags: tags for every AWS resource.
        image_registry: a registry that image and charts come from, instead of their own.

    Attributes:
        instance_profile: name of the instance profile for the nodes of its pools.
    """

    def __init__(
        self,
        name: str,
        spec: KarpenterSpec,
        *,
        cluster_name: pulumi.Input[str],
        cluster_arn: pulumi.Input[str],
        tags: Tags | None = None,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:nodes:Karpenter", name, spec, opts, tags, image_registry)
        role = self._node_role(spec, cluster_name)
        # A profile of ours instead of ones that Karpenter makes: it needs fewer rights, and nothing stays behind.
        profile = aws.iam.InstanceProfile(
            f"{name}-node", role=role.role_name, tags=self.tagged(f"{name}-node"), opts=self.child(depends_on=[role])
        )
        queue = self._interruption_queue()
        identity = PodIdentity(
            f"{name}-controller",
            PodIdentitySpec(namespace=names.SYSTEM_NAMESPACE, service_account=names.KARPENTER_SERVICE_ACCOUNT),
            cluster_name=cluster_name,
            policy=pulumi.Output.json_dumps(
                _controller_policy(spec.region, cluster_name, cluster_arn, role.arn, queue.arn)
            ),
            tags=self.own_tags,
            opts=self.child(),
        )
        self._releases(spec, cluster_name, queue.name, identity)
        self.instance_profile: pulumi.Output[str] = profile.name
        self.register_outputs({"instanceProfile": self.instance_profile})

    def _node_role(self, spec: KarpenterSpec, cluster_name: pulumi.Input[str]) -> NodeRole:
        name = f"{self.resource_name}-node"
        role = NodeRole(
            name,
            NodeRoleSpec(region=spec.region, has_vpc_cni_policy=spec.has_vpc_cni_policy),
            tags=self.own_tags,
            opts=self.child(),
        )
        # EKS makes this entry for the roles of managed groups only.
        aws.eks.AccessEntry(
            name,
            cluster_name=cluster_name,
            principal_arn=role.arn,
            type="EC2_LINUX",
            tags=self.tagged(name),
            opts=self.child(),
        )
        return role

    def _interruption_queue(self) -> aws.sqs.Queue:
        name = f"{self.resource_name}-interruption"
        queue = aws.sqs.Queue(
            name, message_retention_seconds=300, sqs_managed_sse_enabled=True, tags=self.tagged(name), opts=self.child()
        )
        policy = aws.sqs.QueuePolicy(
            name, queue_url=queue.url, policy=pulumi.Output.json_dumps(_queue_policy(queue.arn)), opts=self.child()
        )
        for event, (source, detail) in _INTERRUPTIONS.items():
            rule_name = f"{self.resource_name}-{event}"
            rule = aws.cloudwatch.EventRule(
                rule_name,
                event_pattern=json.dumps({"source": [source], "detail-type": [detail]}),
                tags=self.tagged(rule_name),
                opts=self.child(),
            )
            aws.cloudwatch.EventTarget(rule_name, rule=rule.name, arn=queue.arn, opts=self.child(depends_on=[policy]))
        return queue

    def _releases(
        self, spec: KarpenterSpec, cluster_name: pulumi.Input[str], queue_name: pulumi.Input[str], identity: PodIdentity
    ) -> None:
        crds = self.helm_release("karpenter-crd", {})
        values = {
            "serviceAccount": {"create": True, "name": names.KARPENTER_SERVICE_ACCOUNT},
            "replicas": spec.replicas,
            "controller": {
                "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
                # The metadata service is out of reach for pods: one hop only.
                "env": [{"name": "AWS_REGION", "value": spec.region}],
            },
            "settings": {
                "clusterName": cluster_name,
                "interruptionQueue": queue_name,
                "isolatedVPC": spec.is_isolated,
                "featureGates": {"nodeRepair": True, "nodeOverlay": True},
            },
        }
        self.helm_release("karpenter", values, skip_crds=True, depends_on=[crds, identity])


def _queue_policy(queue_arn: pulumi.Input[str]) -> dict[str, Any]:
    events = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    unencrypted = {"Bool": {"aws:SecureTransport": "false"}}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "ReceiveEvents", **events, "Resource": queue_arn},
            {
                "Sid": "RefuseUnencrypted",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "sqs:*",
                "Resource": queue_arn,
                "Condition": unencrypted,
            },
        ],
    }


def _controller_policy(
    region: str,
    cluster_name: pulumi.Input[str],
    cluster_arn: pulumi.Input[str],
    node_role_arn: pulumi.Input[str],
    queue_arn: pulumi.Input[str],
) -> pulumi.Output[dict[str, Any]]:
    """What the controller may do, for its own cluster only where AWS lets a policy say so.

    Source: https://karpenter.sh/docs/reference/cloudformation/, less what is needed to make instance profiles.
    """
    return pulumi.Output.from_input(cluster_name).apply(
        lambda name: {
            "Version": "2012-10-17",
            "Statement": [
                *_launch_statements(f"arn:{partition(region)}:ec2:{region}", name),
                *_read_statements(partition(region), region),
                {
                    "Sid": "PassNodeRole",
                    "Effect": "Allow",
                    "Action": "iam:PassRole",
                    "Resource": node_role_arn,
                    "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
                },
                {"Sid": "FindCluster", "Effect": "Allow", "Action": "eks:DescribeCluster", "Resource": cluster_arn},
                {
                    "Sid": "ReadInterruptions",
                    "Effect": "Allow",
                    "Action": ["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"],
                    "Resource": queue_arn,
                },
            ],
        }
    )


def _launch_statements(ec2: str, cluster: str) -> list[dict[str, Any]]:
    owned = names.owned_by(cluster)
    made = [f"{ec2}:*:{kind}/*" for kind in _MADE_BY_KARPENTER]
    requested = {f"aws:RequestTag/{owned}": "owned", "aws:RequestTag/eks:eks-cluster-name": cluster}
    any_pool_requested = {"StringLike": {"aws:RequestTag/karpenter.sh/nodepool": "*"}}
    of_any_pool = {
        "StringEquals": {f"aws:ResourceTag/{owned}": "owned"},
        "StringLike": {"aws:ResourceTag/karpenter.sh/nodepool": "*"},
    }
    launch = ["ec2:RunInstances", "ec2:CreateFleet"]
    return [
        {
            "Sid": "LaunchWithSharedResources",
            "Effect": "Allow",
            "Action": launch,
            "Resource": [
                f"{ec2}::image/*",
                f"{ec2}::snapshot/*",
                *(f"{ec2}:*:{kind}/*" for kind in _USED_BY_KARPENTER),
            ],
        },
        {
            "Sid": "LaunchWithOwnTemplates",
            "Effect": "Allow",
            "Action": launch,
            "Resource": f"{ec2}:*:launch-template/*",
            "Condition": of_any_pool,
        },
        {
            "Sid": "LaunchTagged",
            "Effect": "Allow",
            "Action": [*launch, "ec2:CreateLaunchTemplate"],
            "Resource": made,
            "Condition": {"StringEquals": requested, **any_pool_requested},
        },
        {
            "Sid": "TagWhileLaunching",
            "Effect": "Allow",
            "Action": "ec2:CreateTags",
            "Resource": made,
            "Condition": {
                "StringEquals": {
                    **requested,
                    "ec2:CreateAction": ["RunInstances", "CreateFleet", "CreateLaunchTemplate"],
                },
                **any_pool_requested,
            },
        },
        {
            "Sid": "TagOwnInstances",
            "Effect": "Allow",
            "Action": "ec2:CreateTags",
            "Resource": f"{ec2}:*:instance/*",
            "Condition": {
                **of_any_pool,
                "StringEqualsIfExists": {"aws:RequestTag/eks:eks-cluster-name": cluster},
                "ForAllValues:StringEquals": {
                    "aws:TagKeys": ["eks:eks-cluster-name", "karpenter.sh/nodeclaim", "Name"]
                },
            },
        },
        {
            "Sid": "RemoveOwn",
            "Effect": "Allow",
            "Action": ["ec2:TerminateInstances", "ec2:DeleteLaunchTemplate"],
            "Resource": [f"{ec2}:*:instance/*", f"{ec2}:*:launch-template/*"],
            "Condition": of_any_pool,
        },
    ]


def _read_statements(partition_name: str, region: str) -> list[dict[str, Any]]:
    return [
        {
            "Sid": "ReadRegion",
            "Effect": "Allow",
            "Action": [f"ec2:Describe{what}" for what in _DESCRIBED_BY_KARPENTER],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:RequestedRegion": region}},
        },
        {
            "Sid": "ReadImageParameters",
            "Effect": "Allow",
            "Action": "ssm:GetParameter",
            "Resource": f"arn:{partition_name}:ssm:{region}::parameter/aws/service/*",
        },
        {"Sid": "ReadPrices", "Effect": "Allow", "Action": "pricing:GetProducts", "Resource": "*"},
        {
            "Sid": "ReadInstanceProfiles",
            "Effect": "Allow",
            "Action": ["iam:GetInstanceProfile", "iam:ListInstanceProfiles"],
            "Resource": "*",
        },
    ]
