"""The IAM role of nodes."""

import json

import pulumi
import pulumi_aws as aws

from eksml.catalog import managed_policy_arn
from eksml.component import Component, Tags
from eksml.spec import Flag, Region, Spec

_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonSSMManagedInstanceCore")


class NodeRoleSpec(Spec):
    """What nodes may do in AWS."""

    region: Region
    """AWS region, by which ARNs of AWS's policies are named."""
    has_vpc_cni_policy: Flag = False
    """Whether the role has VPC CNI's permissions: needed where VPC CNI has no identity of its own."""


class NodeRole(Component):
    """A role with which nodes join their cluster, pull images, and can be reached through Session Manager.

    Arguments:
        spec: what nodes may do.
        tags: tags for every AWS resource.

    Attributes:
        arn, role_name: of the role.
    """

    def __init__(
        self, name: str, spec: NodeRoleSpec, *, tags: Tags | None = None, opts: pulumi.ResourceOptions | None = None
    ):
        super().__init__("eksml:nodes:NodeRole", name, spec, opts, tags)
        trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        role = aws.iam.Role(
            name,
            assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
            tags=self.tagged(name),
            opts=self.child(),
        )
        for policy in (*_POLICIES, *(["AmazonEKS_CNI_Policy"] if spec.has_vpc_cni_policy else [])):
            aws.iam.RolePolicyAttachment(
                f"{name}-{policy}",
                role=role.name,
                policy_arn=managed_policy_arn(spec.region, policy),
                opts=self.child(),
            )
        self.arn: pulumi.Output[str] = role.arn
        self.role_name: pulumi.Output[str] = role.name
        self.register_outputs({"arn": self.arn})
