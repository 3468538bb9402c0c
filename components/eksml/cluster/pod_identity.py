"""An AWS identity for the pods of one Kubernetes service account."""

import json

import pulumi
import pulumi_aws as aws

from eksml import names
from eksml.component import Component, Tags
from eksml.spec import Namespace, ServiceAccountName, Spec

# IAM allows 64 characters, of which Pulumi needs eight to make a name that no other role has.
_LONGEST_ROLE_NAME = 56


class ServiceAccountSpec(Spec):
    """A Kubernetes service account, by which pods get an identity."""

    namespace: Namespace
    """Its namespace."""
    name: ServiceAccountName
    """Its name."""


class PodIdentitySpec(Spec):
    """Which pods get the identity, and which AWS managed policies it has."""

    namespace: str
    """Namespace of the service account."""
    service_account: str
    """Name of the service account."""
    managed_policies: tuple[str, ...] = ()
    """ARNs of AWS managed policies."""


class PodIdentity(Component):
    """An IAM role that only the pods of one service account can take on, through EKS Pod Identity.

    The cluster needs the add-on eks-pod-identity-agent before such a pod starts.

    Arguments:
        spec: the service account and its managed policies.
        cluster_name: name of the EKS cluster.
        policy: an IAM policy document as JSON, for what no managed policy grants narrowly enough.
        tags: tags for every AWS resource.

    Attributes:
        role_arn: the ARN of the role.

    Source of the trust policy: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
    """

    def __init__(
        self,
        name: str,
        spec: PodIdentitySpec,
        *,
        cluster_name: pulumi.Input[str],
        policy: pulumi.Input[str] | None = None,
        tags: Tags | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:cluster:PodIdentity", name, spec, opts, tags)
        role = aws.iam.Role(
            names.fitted(name, _LONGEST_ROLE_NAME),
            assume_role_policy=json.dumps(_trust(spec)),
            tags=self.tagged(name),
            opts=self.child(),
        )
        attachments: list[pulumi.Resource] = [
            aws.iam.RolePolicyAttachment(
                f"{name}-{arn.rpartition('/')[2]}", role=role.name, policy_arn=arn, opts=self.child()
            )
            for arn in spec.managed_policies
        ]
        if policy is not None:
            attachments.append(aws.iam.RolePolicy(name, role=role.name, policy=policy, opts=self.child()))
        aws.eks.PodIdentityAssociation(
            name,
            cluster_name=cluster_name,
            namespace=spec.namespace,
            service_account=spec.service_account,
            role_arn=role.arn,
            tags=self.tagged(name),
            # A pod that starts in between would be refused what it asks for.
            opts=self.child(depends_on=attachments),
        )
        self.role_arn: pulumi.Output[str] = role.arn
        self.register_outputs({"roleArn": self.role_arn})


def _trust(spec: PodIdentitySpec) -> dict[str, object]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "pods.eks.amazonaws.com"},
                "Action": ["sts:AssumeRole", "sts:TagSession"],
                "Condition": {
                    "StringEquals": {
                        "aws:RequestTag/kubernetes-namespace": spec.namespace,
                        "aws:RequestTag/kubernetes-service-account": spec.service_account,
                    }
                },
            }
        ],
    }
