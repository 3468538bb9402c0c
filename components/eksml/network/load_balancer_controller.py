"""The AWS load balancer controller: load balancers for Gateways, Ingresses and Services."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pulumi

from eksml import names
from eksml.catalog import partition
from eksml.cluster.pod_identity import PodIdentity, PodIdentitySpec
from eksml.component import Component, Tags
from eksml.controllers import affinity, resources
from eksml.kustomization import Kustomization, KustomizationSpec
from eksml.spec import PositiveCount, Spec

_CHART = "aws-load-balancer-controller"
_LABELS = {"app.kubernetes.io/name": _CHART}
_CONTROLLER = "gateway.k8s.aws/alb"

# What it looks at. Without GetSecurityGroupsForVpc it makes no load balancer, and without DescribeListenerAttributes it
# changes none.
_DESCRIBED_IN_EC2 = (
    "AccountAttributes",
    "Addresses",
    "AvailabilityZones",
    "Instances",
    "InternetGateways",
    "NetworkInterfaces",
    "RouteTables",
    "SecurityGroups",
    "Subnets",
    "Tags",
    "VpcPeeringConnections",
    "Vpcs",
)
_DESCRIBED_IN_ELB = (
    "CapacityReservation",
    "ListenerAttributes",
    "ListenerCertificates",
    "Listeners",
    "LoadBalancerAttributes",
    "LoadBalancers",
    "Rules",
    "SSLPolicies",
    "Tags",
    "TargetGroupAttributes",
    "TargetGroups",
    "TargetHealth",
    "TrustStores",
)
_CHANGED = (
    "DeleteLoadBalancer",
    "DeleteTargetGroup",
    "DeregisterTargets",
    "ModifyLoadBalancerAttributes",
    "ModifyTargetGroup",
    "ModifyTargetGroupAttributes",
    "RegisterTargets",
    "SetIpAddressType",
    "SetSecurityGroups",
    "SetSubnets",
)
_CHANGED_LISTENERS = (
    "AddListenerCertificates",
    "CreateListener",
    "CreateRule",
    "DeleteListener",
    "DeleteRule",
    "ModifyListener",
    "ModifyListenerAttributes",
    "ModifyRule",
    "RemoveListenerCertificates",
    "SetRulePriorities",
)


class LoadBalancerControllerSpec(Spec):
    """How the load balancer controller runs."""

    replicas: PositiveCount = 2
    """Controller pods: one works, another takes over when it goes; each answers the API server's questions."""


class LoadBalancerController(Component):
    """The chart of the AWS load balancer controller with the definitions of the Gateway API, and its class of Gateways.

    It needs CoreDNS and the Pod Identity agent. What has a load balancer must depend on it, so that it is still there
    to take that down.

    Arguments:
        spec: how it runs.
        region: the AWS region.
        cluster_name: name of the EKS cluster.
        vpc_id: id of the VPC that its load balancers stand in.
        tags: tags for every AWS resource, those that it makes too.
        image_registry: a registry that image and chart come from, instead of their own; the definitions come by git.
    """

    def __init__(
        self,
        name: str,
        spec: LoadBalancerControllerSpec,
        *,
        region: str,
        cluster_name: pulumi.Input[str],
        vpc_id: pulumi.Input[str],
        tags: Tags | None = None,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:network:LoadBalancerController", name, spec, opts, tags, image_registry)
        account = names.LOAD_BALANCER_CONTROLLER_SERVICE_ACCOUNT
        identity = PodIdentity(
            name,
            PodIdentitySpec(namespace=names.SYSTEM_NAMESPACE, service_account=account),
            cluster_name=cluster_name,
            policy=pulumi.Output.json_dumps(_policy(region, cluster_name, vpc_id)),
            tags=self.own_tags,
            opts=self.child(),
        )
        # It looks for these when it starts, and goes on without Gateways where they are not there.
        definitions = [
            Kustomization(f"{name}-{each}", KustomizationSpec.of_catalog(each), opts=self.child())
            for each in ("gateway-api-crds", "aws-load-balancer-controller-crds")
        ]
        values = _values(spec, region, cluster_name, vpc_id, self.own_tags)
        controller = self.helm_release(_CHART, values, depends_on=[identity, *definitions])
        pulumi.CustomResource(
            f"kubernetes:{names.GATEWAY_API_VERSION}:GatewayClass",
            f"{name}-class",
            {
                "apiVersion": names.GATEWAY_API_VERSION,
                "kind": "GatewayClass",
                "metadata": {"name": names.GATEWAY_CLASS},
                "spec": {"controllerName": _CONTROLLER},
            },
            self.child(depends_on=[controller]),
        )
        self.register_outputs({})


def _values(
    spec: LoadBalancerControllerSpec,
    region: str,
    cluster_name: pulumi.Input[str],
    vpc_id: pulumi.Input[str],
    tags: Mapping[str, str],
) -> dict[str, Any]:
    return {
        "clusterName": cluster_name,
        # The metadata service is out of reach for pods: one hop only.
        "region": region,
        "vpcId": vpc_id,
        "replicaCount": spec.replicas,
        "podDisruptionBudget": {"maxUnavailable": 1} if spec.replicas > 1 else {},
        "serviceAccount": {"name": names.LOAD_BALANCER_CONTROLLER_SERVICE_ACCOUNT},
        "resources": resources("100m", "256Mi", "512Mi"),
        "affinity": affinity(_LABELS),
        "defaultTags": dict(tags),
        # Pods have addresses of the VPC.
        "defaultTargetType": "ip",
        # By default each upgrade makes a new certificate, which its pods and the API server learn of one after another.
        "keepTLSSecret": True,
        # It refuses Services while it is away, so only teams ask it; theirs are internal if they do not say otherwise.
        "serviceMutatorWebhookConfig": {
            "namespaceSelectors": [{"key": names.TEAM_LABEL, "operator": "Exists", "values": []}]
        },
        "controllerConfig": {
            "featureGates": {"ALBGatewayAPI": True, "NLBGatewayAPI": False, "GatewayListenerSet": False}
        },
        # Each needs rights of its own, and nothing here uses them.
        "enableShield": False,
        "enableWaf": False,
        "enableWafv2": False,
    }


def _policy(region: str, cluster_name: pulumi.Input[str], vpc_id: pulumi.Input[str]) -> pulumi.Output[dict[str, Any]]:
    """What the controller may do: to what it made for its own cluster, wherever AWS lets a policy say so.

    Source: https://github.com/kubernetes-sigs/aws-load-balancer-controller docs/install/iam_policy.json, less what is
    for features that are off, and closer.
    """
    return pulumi.Output.all(cluster_name, vpc_id).apply(
        lambda known: {
            "Version": "2012-10-17",
            "Statement": [
                *_read_statements(region),
                *_security_group_statements(f"arn:{partition(region)}:ec2:{region}:*", *known),
                *_load_balancer_statements(f"arn:{partition(region)}:elasticloadbalancing:{region}:*", known[0]),
            ],
        }
    )


def _read_statements(region: str) -> list[dict[str, Any]]:
    role = "aws-service-role/elasticloadbalancing.amazonaws.com/AWSServiceRoleForElasticLoadBalancing"
    return [
        {
            "Sid": "ReadRegion",
            "Effect": "Allow",
            "Action": [
                *(f"ec2:Describe{what}" for what in _DESCRIBED_IN_EC2),
                "ec2:GetSecurityGroupsForVpc",
                *_elb(f"Describe{what}" for what in _DESCRIBED_IN_ELB),
                "acm:ListCertificates",
                "acm:DescribeCertificate",
            ],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:RequestedRegion": region}},
        },
        {
            "Sid": "FirstLoadBalancerOfAccount",
            "Effect": "Allow",
            "Action": "iam:CreateServiceLinkedRole",
            "Resource": f"arn:{partition(region)}:iam::*:role/{role}",
            "Condition": {"StringEquals": {"iam:AWSServiceName": "elasticloadbalancing.amazonaws.com"}},
        },
    ]


def _security_group_statements(ec2: str, cluster: str, vpc: str) -> list[dict[str, Any]]:
    groups, tag = f"{ec2}:security-group/*", names.LOAD_BALANCER_CLUSTER_TAG
    own, requested = {f"aws:ResourceTag/{tag}": cluster}, {f"aws:RequestTag/{tag}": cluster}
    rules = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"]
    return [
        _allow("MakeSecurityGroupsInVpc", ["ec2:CreateSecurityGroup"], f"{ec2}:vpc/{vpc}"),
        _allow("MakeSecurityGroups", ["ec2:CreateSecurityGroup"], groups, {"StringEquals": requested}),
        _allow(
            "TagNewSecurityGroups",
            ["ec2:CreateTags"],
            groups,
            {"StringEquals": {**requested, "ec2:CreateAction": "CreateSecurityGroup"}},
        ),
        _allow(
            "TagOwnSecurityGroups",
            ["ec2:CreateTags", "ec2:DeleteTags"],
            groups,
            # Not the tag that says whose they are.
            {"StringEquals": own, "Null": {f"aws:RequestTag/{tag}": "true"}},
        ),
        _allow("ChangeOwnSecurityGroups", [*rules, "ec2:DeleteSecurityGroup"], groups, {"StringEquals": own}),
        _allow(
            "LetLoadBalancersReachPods",
            rules,
            groups,
            {"StringEquals": {f"aws:ResourceTag/{names.owned_by(cluster)}": ["owned", "shared"]}},
        ),
    ]


def _load_balancer_statements(elb: str, cluster: str) -> list[dict[str, Any]]:
    tag = names.LOAD_BALANCER_CLUSTER_TAG
    own, requested = {f"aws:ResourceTag/{tag}": cluster}, {f"aws:RequestTag/{tag}": cluster}
    tagged = [f"{elb}:{kind}" for kind in ("targetgroup/*/*", "loadbalancer/net/*/*", "loadbalancer/app/*/*")]
    parts = [f"{elb}:{kind}/{layer}/*" for kind in ("listener", "listener-rule") for layer in ("net", "app")]
    tags, new = ("AddTags", "RemoveTags"), ("CreateLoadBalancer", "CreateTargetGroup")
    return [
        _allow("Make", _elb(new), tagged, {"StringEquals": requested}),
        _allow(
            "TagNew",
            _elb(["AddTags"]),
            tagged,
            {"StringEquals": {**requested, "elasticloadbalancing:CreateAction": list(new)}},
        ),
        _allow("TagOwn", _elb(tags), tagged, {"StringEquals": own, "Null": {f"aws:RequestTag/{tag}": "true"}}),
        _allow("ChangeOwn", _elb(_CHANGED), tagged, {"StringEquals": own}),
        # Rules and listeners do not always have the tag, and then could neither be put in order nor taken away.
        _allow("ChangeListeners", _elb(_CHANGED_LISTENERS), [*tagged[1:], *parts]),
        _allow("TagListeners", _elb(tags), parts),
    ]


def _elb(actions: Iterable[str]) -> list[str]:
    return [f"elasticloadbalancing:{action}" for action in actions]


def _allow(
    sid: str, actions: list[str], resource: str | list[str], condition: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}
    return {**statement, "Condition": dict(condition)} if condition else statement
