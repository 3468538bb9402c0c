"""The internet reaches nothing that was not opened, and data at rest is encrypted."""

import pytest

from checks.faults import NODE_CLASS, SERVICE, Fault, Planted, add, change, chart, each_of, expect_found, found, planted
from eksml.plan.model import UNKNOWN

PUBLIC = "service.beta.kubernetes.io/aws-load-balancer-scheme"
INTERNAL = "service.beta.kubernetes.io/aws-load-balancer-internal"
INTERNET_FACING = {"scheme": "internet-facing"}
FAULTS: list[Planted] = [
    ("not-public", add("kubernetes:core/v1:Service", "web", SERVICE), "web: a load balancer that the internet reaches"),
    (
        "not-public",
        add("aws:lb/loadBalancer:LoadBalancer", "web", {}),
        "web: a load balancer that the internet reaches",
    ),
    (
        "not-public",
        add("kubernetes:gateway.k8s.aws/v1beta1:LoadBalancerConfiguration", "web", {"spec": INTERNET_FACING}),
        "web: a load balancer that the internet reaches",
    ),
    (
        "not-public",
        add("kubernetes:elbv2.k8s.aws/v1beta1:IngressClassParams", "web", {"spec": INTERNET_FACING}),
        "web: a load balancer that the internet reaches",
    ),
    (
        "not-public",
        add("aws:rds/instance:Instance", "experiments", {"publiclyAccessible": True, "storageEncrypted": True}),
        "experiments: has an address that the internet reaches: set publiclyAccessible to false",
    ),
    (
        "encrypted",
        add("aws:rds/instance:Instance", "experiments", {"publiclyAccessible": False}),
        "experiments: is not encrypted: storageEncrypted is not set",
    ),
    (
        "not-public",
        chart({"proxy": {"service": {"type": "LoadBalancer", "annotations": {}}}}),
        "portal: its value proxy.service makes a load balancer that the internet reaches",
    ),
    (
        "not-public",
        chart({"servers": [{"serviceType": "LoadBalancer", "serviceAnnotations": {PUBLIC: "internet-facing"}}]}),
        "portal: its value servers.0 makes a load balancer that the internet reaches",
    ),
    (
        "not-public",
        chart({"ingress": {"annotations": {"alb.ingress.kubernetes.io/scheme": "internet-facing"}}}),
        "portal: its value ingress.annotations makes a load balancer that the internet reaches",
    ),
    (
        "not-public",
        chart({"extraObjects": [SERVICE]}),
        "portal: its value extraObjects.0 makes a load balancer that the internet reaches",
    ),
    (
        "open-public-endpoint",
        change("eks:index:Cluster", "", "endpointPublicAccess", True),
        "eksml-production: the API server is reachable from the whole internet",
    ),
    (
        "open-public-endpoint",
        change("eks:index:Cluster", "", "endpointPublicAccess", None),
        "eksml-production: the API server is reachable from the whole internet",
    ),
    (
        "not-public",
        change("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "", "blockPublicPolicy", False),
        "eksml-production-models: public access to the bucket is not blocked",
    ),
    (
        "encrypted",
        change("eks:index:Cluster", "", "encryptionConfigKeyArn", None),
        "eksml-production: is not encrypted: encryptionConfigKeyArn is not set",
    ),
    (
        "encrypted",
        change("aws:ec2/launchTemplate:LaunchTemplate", "train", "blockDeviceMappings/0/ebs/encrypted", "false"),
        "eksml-production-train: a disk of its instances is not encrypted",
    ),
    (
        "encrypted",
        change(NODE_CLASS, "serve-class", "spec/blockDeviceMappings", []),
        "eksml-production-serve-class: a disk of its instances is not encrypted",
    ),
    (
        "encrypted",
        change("kubernetes:storage.k8s.io/v1:StorageClass", "", "parameters/encrypted", "false"),
        "eksml-production-storage-gp3: its volumes are not encrypted",
    ),
    (
        "network-policy-enforced",
        change("eks:index:Cluster", "", "vpcCniOptions/enableNetworkPolicy", False),
        "eksml-production: does not enforce the network policies of the stack",
    ),
]


@each_of(FAULTS)
def test_a_planted_fault_is_found(check: str, fault: Fault, text: str) -> None:
    expect_found(check, fault, text)


@pytest.mark.parametrize(
    ("annotations", "is_public"),
    [
        ({}, True),
        ({INTERNAL: "0.0.0.0/0"}, False),
        ({INTERNAL: "True"}, False),
        ({PUBLIC: "internal"}, False),
        ({PUBLIC: "internet-facing", INTERNAL: "true"}, True),
    ],
)
def test_the_scheme_of_a_load_balancer_decides_before_the_older_annotation(
    annotations: dict[str, str], is_public: bool
) -> None:
    service = {**SERVICE, "metadata": {"name": "web", "annotations": annotations}}
    assert bool(found(planted(add("kubernetes:core/v1:Service", "web", service)), "not-public")) is is_public


@pytest.mark.parametrize(
    "right",
    [
        chart({"service": {"type": "LoadBalancer", "annotations": {PUBLIC: "internal"}}}),
        chart({"service": {"type": "LoadBalancer", "loadBalancerClass": "service.k8s.aws/nlb"}}),
        chart({"service": {"enabled": False, "type": "LoadBalancer"}}),
        chart({"extraObjects": [SERVICE | {"metadata": {"annotations": {PUBLIC: "internal"}}}]}),
        chart({"service": {"type": "ClusterIP"}, "note": "type: LoadBalancer"}),
        add("kubernetes:elbv2.k8s.aws/v1beta1:IngressClassParams", "web", {"spec": {"scheme": "internal"}}),
        add("kubernetes:gateway.k8s.aws/v1beta1:LoadBalancerConfiguration", "web", {"spec": {}}),
        add("aws:rds/instance:Instance", "experiments", {"publiclyAccessible": False}),
        add("aws:rds/instance:Instance", "experiments", {"publiclyAccessible": UNKNOWN}),
    ],
)
def test_what_the_internet_does_not_reach_is_not_public(right: Fault) -> None:
    assert found(planted(right), "not-public") == []
