"""What AWS charges for single resources, by hand, from the price list of us-east-1."""

from typing import Any

import pytest

from eksml.catalog import free_types
from eksml.costs import Assumptions, Bill, estimate
from eksml.plan import Plan, Resource

HOURS = 730
REGION = "us-east-1"
GATEWAY = {"kind": "Gateway", "metadata": {"namespace": "vision"}, "spec": {"gatewayClassName": "aws-alb"}}
GP3 = {"provisioner": "ebs.csi.aws.com", "parameters": {"type": "gp3"}, "metadata": {"name": "gp3"}}
CLASS = "kubernetes:storage.k8s.io/v1:StorageClass"
CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
SERVICE = "kubernetes:core/v1:Service"
DATABASE = {"engine": "postgres", "instanceClass": "db.t4g.small", "allocatedStorage": 20}


def bill(*resources: tuple[str, dict[str, Any]], assumptions: Assumptions | None = None) -> Bill:
    """The bill of resources in us-east-1."""
    made = [
        Resource(f"urn:{number}", kind, f"r{number}", None, True, inputs=inputs)
        for number, (kind, inputs) in enumerate([("aws:ec2/subnet:Subnet", {"region": REGION}), *resources])
    ]
    return estimate(Plan.of("bare", made), assumptions)


# What it is, its inputs, US dollars a month at least and expected.
PRICED: dict[str, tuple[str, dict[str, Any], float, float]] = {
    "a NAT gateway": ("aws:ec2/natGateway:NatGateway", {}, HOURS * 0.045, HOURS * 0.045 + 500 * 0.045),
    "an address": ("aws:ec2/eip:Eip", {}, HOURS * 0.005, HOURS * 0.005),
    "an interface endpoint in two zones": (
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        {"vpcEndpointType": "Interface", "serviceName": "com.amazonaws.us-east-1.ecr.api", "subnetIds": ["a", "b"]},
        2 * HOURS * 0.01,
        2 * HOURS * 0.01 + 100 * 0.01,
    ),
    "a gateway endpoint": ("aws:ec2/vpcEndpoint:VpcEndpoint", {"vpcEndpointType": "Gateway"}, 0, 0),
    "a load balancer": (
        "aws:lb/loadBalancer:LoadBalancer",
        {"internal": True},
        HOURS * 0.0225,
        HOURS * (0.0225 + 0.008),
    ),
    "a public load balancer in three zones": (
        "aws:lb/loadBalancer:LoadBalancer",
        {"subnets": ["a", "b", "c"]},
        HOURS * (0.0225 + 3 * 0.005),
        HOURS * (0.0225 + 3 * 0.005 + 0.008),
    ),
    "a network load balancer": (
        "aws:lb/loadBalancer:LoadBalancer",
        {"loadBalancerType": "network", "internal": True},
        HOURS * 0.0225,
        HOURS * (0.0225 + 0.006),
    ),
    "a small database in one zone": (
        "aws:rds/instance:Instance",
        DATABASE,
        HOURS * 0.032 + 20 * 0.115,
        HOURS * 0.032 + 20 * 0.115,
    ),
    "a database in two zones, whose password RDS keeps": (
        "aws:rds/instance:Instance",
        {**DATABASE, "multiAz": True, "manageMasterUserPassword": True},
        HOURS * 0.065 + 20 * 0.23 + 0.40,
        HOURS * 0.065 + 20 * 0.23 + 0.40 + 5 * 0.05,
    ),
    "a file system with elastic throughput": (
        "aws:efs/fileSystem:FileSystem",
        {"throughputMode": "elastic"},
        0,
        200 * 0.30 + 200 * 0.03 + 100 * 0.06,
    ),
    "a file system with provisioned throughput": (
        "aws:efs/fileSystem:FileSystem",
        {"throughputMode": "provisioned", "provisionedThroughputInMibps": 10},
        10 * 6,
        200 * 0.30 + 10 * 6,
    ),
    "Lustre": (
        "aws:fsx/lustreFileSystem:LustreFileSystem",
        {"deploymentType": "PERSISTENT_2", "perUnitStorageThroughput": 125, "storageCapacity": 1200},
        1200 * 0.145,
        1200 * 0.145,
    ),
    "a volume with more than what is included": (
        "aws:ebs/volume:Volume",
        {"type": "gp3", "size": 100, "iops": 4000, "throughput": 250},
        100 * 0.08 + 1000 * 0.005 + 125 * 0.04,
        100 * 0.08 + 1000 * 0.005 + 125 * 0.04,
    ),
    "a bucket": ("aws:s3/bucket:Bucket", {}, 0, 500 * 0.023 + 100 * 0.005 + 1000 * 0.0004),
    "a secret": ("aws:secretsmanager/secret:Secret", {}, 0.40, 0.40 + 5 * 0.05),
    "a key": ("aws:kms/key:Key", {}, 1, 1 + 10 * 0.03),
    "a hosted zone": ("aws:route53/zone:Zone", {}, 0.50, 0.50),
    "an image repository": ("aws:ecr/repository:Repository", {}, 0, 50 * 0.10),
    "an alarm": ("aws:cloudwatch/metricAlarm:MetricAlarm", {}, 0.10, 0.10),
    "users who sign in": ("aws:cognito/userPool:UserPool", {}, 0, 100 * 0.015),
    "a queue": ("aws:sqs/queue:Queue", {}, 0, 0.5 * 0.40),
    "a budget": ("aws:budgets/budget:Budget", {}, 0, 0),
    "a cluster of the provider of AWS": ("aws:eks/cluster:Cluster", {}, HOURS * 0.10, HOURS * 0.10),
    "an entry of a team": ("kubernetes:gateway.networking.k8s.io/v1:Gateway", GATEWAY, 16.425, HOURS * 0.0305),
    "a service with a load balancer of the controller": (
        SERVICE,
        {"kind": "Service", "spec": {"type": "LoadBalancer", "loadBalancerClass": "service.k8s.aws/nlb"}},
        HOURS * 0.0225,
        HOURS * 0.0285,
    ),
    "a public service": (
        SERVICE,
        {
            "kind": "Service",
            "metadata": {"annotations": {"service.beta.kubernetes.io/aws-load-balancer-scheme": "internet-facing"}},
            "spec": {"type": "LoadBalancer", "loadBalancerClass": "service.k8s.aws/nlb"},
        },
        HOURS * (0.0225 + 2 * 0.005),
        HOURS * (0.0285 + 2 * 0.005),
    ),
    "an ingress of the controller": (
        "kubernetes:networking.k8s.io/v1:Ingress",
        {"kind": "Ingress", "spec": {"ingressClassName": "alb"}},
        HOURS * 0.0225,
        HOURS * 0.0305,
    ),
    "a cluster of the package of EKS": (
        "eks:index:Cluster",
        {"skipDefaultNodeGroup": True},
        HOURS * 0.10,
        HOURS * 0.10,
    ),
    "a password": ("random:index/randomPassword:RandomPassword", {}, 0, 0),
    "a service without one": (SERVICE, {"kind": "Service", "spec": {"type": "ClusterIP"}}, 0, 0),
}

NOT_PRICED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a type that nobody has looked at": (
        "aws:amp/workspace:Workspace",
        {},
        "the catalog does not know what is charged",
    ),
    "nodes of the package of EKS": ("eks:index:ManagedNodeGroup", {}, "does not know what is charged"),
    "nodes that nobody asked for": ("eks:index:Cluster", {"vpcId": "vpc-1"}, "so it makes nodes"),
    "a VPC of another package": ("awsx:ec2:Vpc", {}, "does not know what is charged"),
    "a type of another provider of AWS": ("aws-native:s3:Bucket", {}, "does not know what is charged"),
    "an ingress of another class": (
        "kubernetes:networking.k8s.io/v1:Ingress",
        {"kind": "Ingress", "spec": {"ingressClassName": "nginx"}},
        "whether its class makes one of its own",
    ),
    "disks of a size that nothing says": (
        "aws:eks/nodeGroup:NodeGroup",
        {"instanceTypes": ["g6.xlarge"], "scalingConfig": {"desiredSize": 1}},
        "nothing in the Plan says how large they are",
    ),
    "another database": ("aws:rds/instance:Instance", {"engine": "mysql"}, "prices of PostgreSQL only"),
    "a class without a price": (
        "aws:rds/instance:Instance",
        {**DATABASE, "instanceClass": "db.x2g.16xlarge"},
        "the catalog has no price of it in us-east-1",
    ),
    "another Lustre": (
        "aws:fsx/lustreFileSystem:LustreFileSystem",
        {"deploymentType": "SCRATCH_2", "storageCapacity": 1200},
        "the price of PERSISTENT_2 with 125 MB/s per TiB only",
    ),
    "another volume": ("aws:ebs/volume:Volume", {"type": "io2", "size": 10}, "the prices of gp3 only"),
    "logs for ever": ("aws:cloudwatch/logGroup:LogGroup", {}, "it keeps them for ever"),
    "a claim of a class that is not there": (
        CLAIM,
        {"kind": "PersistentVolumeClaim", "spec": {"storageClassName": "theirs"}},
        "nothing in the Plan says what makes volumes of this class",
    ),
    "a load balancer of the cloud's own kind": (
        SERVICE,
        {"kind": "Service", "spec": {"type": "LoadBalancer"}},
        "which kind of one the cluster makes",
    ),
    "Auto Mode": ("aws:eks/cluster:Cluster", {"computeConfig": {"enabled": True}}, "depends on the nodes"),
}


@pytest.mark.parametrize("what", PRICED)
def test_it_costs_what_it_does_by_hand(what: str) -> None:
    resource_type, inputs, at_least, expected = PRICED[what]
    found = bill((resource_type, inputs))
    assert (found.monthly.at_least, found.monthly.expected) == pytest.approx((at_least, expected), abs=0.001)
    assert not found.not_priced


@pytest.mark.parametrize("what", NOT_PRICED)
def test_what_has_no_price_is_told_with_the_reason(what: str) -> None:
    resource_type, inputs, reason = NOT_PRICED[what]
    assert any(reason in line.reason for line in bill((resource_type, inputs)).not_priced)


def test_a_database_that_may_grow_costs_more_at_most() -> None:
    found = bill(("aws:rds/instance:Instance", {**DATABASE, "maxAllocatedStorage": 100})).monthly
    assert found.most == pytest.approx(found.expected + 80 * 0.115)


def test_data_through_nat_gateways_is_assumed_of_all_together() -> None:
    gateway: tuple[str, dict[str, Any]] = ("aws:ec2/natGateway:NatGateway", {})
    one, three = bill(gateway).monthly, bill(gateway, gateway, gateway).monthly
    assert three.expected - three.at_least == pytest.approx(one.expected - one.at_least)


def test_only_what_leaves_beyond_the_free_hundred_gigabytes_is_charged() -> None:
    vpc: tuple[str, dict[str, Any]] = ("aws:ec2/vpc:Vpc", {})
    usual, much = bill(vpc), bill(vpc, assumptions=Assumptions(internet_gb=1100))
    assert much.monthly.expected - usual.monthly.expected == pytest.approx(1000 * 0.09)


def test_volumes_of_claims_and_of_the_replicas_of_a_set_are_ebs() -> None:
    claim = {"resources": {"requests": {"storage": "10Gi"}}}
    replicas = {"replicas": 3, "volumeClaimTemplates": [{"spec": claim}]}
    found = bill(
        (CLASS, GP3),
        (CLAIM, {"kind": "PersistentVolumeClaim", "spec": claim}),
        ("kubernetes:apps/v1:StatefulSet", {"kind": "StatefulSet", "spec": replicas}),
    )
    assert found.monthly.at_least == pytest.approx((1 + 3) * 10 * 0.08)


def test_the_homes_of_notebooks_are_volumes_of_as_many_people_as_assumed() -> None:
    override = {"kubespawner_override": {"node_selector": {"eksml.dev/pool": "gpu"}}}
    home = {"capacity": "20Gi", "dynamic": {"storageClass": "gp3"}}
    values = {
        "hub": {"db": {"pvc": {"storageClassName": "gp3", "storage": "1Gi"}}},
        "singleuser": {"profileList": [override], "storage": home},
    }
    hub = {"chart": "jupyterhub", "namespace": "notebooks", "values": values}
    quota = {"metadata": {"namespace": "notebooks"}, "spec": {"hard": {"requests.storage": "1001Gi"}}}
    found = bill(
        (CLASS, GP3), ("kubernetes:helm.sh/v3:Release", hub), ("kubernetes:core/v1:ResourceQuota", quota)
    ).monthly
    assert (found.at_least, found.expected) == pytest.approx((0.08, (1 + 10 * 20) * 0.08))
    assert found.most == pytest.approx((1 + 1001) * 0.08)


def test_a_claim_on_a_volume_that_exists_makes_none() -> None:
    there = {"volumeName": "bucket", "storageClassName": "", "resources": {"requests": {"storage": "1Gi"}}}
    found = bill((CLAIM, {"kind": "PersistentVolumeClaim", "spec": there}))
    assert not found.items
    assert not found.not_priced


def test_the_entry_of_a_team_is_the_teams() -> None:
    namespace = {"kind": "Namespace", "metadata": {"name": "vision", "labels": {"eksml.dev/team": "vision"}}}
    found = bill(
        ("kubernetes:core/v1:Namespace", namespace), ("kubernetes:gateway.networking.k8s.io/v1:Gateway", GATEWAY)
    )
    assert list(found.by_team()) == ["vision"]


def test_a_resource_with_the_tag_of_a_team_is_the_teams() -> None:
    assert list(bill(("aws:s3/bucket:Bucket", {"tags": {"eksml:team": "vision"}})).by_team()) == ["vision"]


def test_no_type_is_both_free_and_priced() -> None:
    for resource_type in free_types():
        assert not bill((resource_type, {})).items


def test_a_public_entry_has_an_address_in_each_public_subnet() -> None:
    name = {"namespace": "vision", "name": "entry"}
    reference = {"parametersRef": {"kind": "LoadBalancerConfiguration", "name": "entry"}}
    gateway = {**GATEWAY, "metadata": name, "spec": {"gatewayClassName": "aws-alb", "infrastructure": reference}}
    subnet: tuple[str, dict[str, Any]] = ("aws:ec2/subnet:Subnet", {"tags": {"kubernetes.io/role/elb": "1"}})

    def at_least(scheme: str) -> float:
        configuration = {"kind": "LoadBalancerConfiguration", "metadata": name, "spec": {"scheme": scheme}}
        return bill(
            *[subnet] * 3,
            ("kubernetes:gateway.k8s.aws/v1:LoadBalancerConfiguration", configuration),
            ("kubernetes:gateway.networking.k8s.io/v1:Gateway", gateway),
        ).monthly.at_least

    assert at_least("internal") == pytest.approx(HOURS * 0.0225)
    assert at_least("internet-facing") == pytest.approx(HOURS * (0.0225 + 3 * 0.005))
