"""A whole platform: what its parts ask of each other, and the order in which they are made and destroyed."""

from functools import cache
from typing import Any

import pulumi
import pytest
import yaml

from eksml import catalog
from eksml.checks import run_checks
from eksml.errors import SpecError
from eksml.plan import Plan, Resource
from eksml.plan.recorder import RecordingError
from eksml.platform import Platform
from eksml.profiles import overlaid, platform_spec
from programs import names_of, needs, one, recorded
from refusals import check_problems

VPC = {
    "kind": "existing",
    "vpcId": "vpc-0123456789abcdef0",
    "privateSubnets": {"usw2-az1": "subnet-0123456789abcdef0", "usw2-az2": "subnet-0123456789abcdef1"},
}
EXISTING = {
    "cluster": {"kind": "existing", "name": "theirs", "kubernetesVersion": "1.36"},
    "network": VPC,
    "accelerators": {"dcgmHostEngine": "nodeMonitoringAgent"},
}
BY_KUBECONFIG = {
    "profile": "research",
    "cluster": {"kind": "kubeconfig", "identifier": "theirs"},
    "network": None,
    "pools": {"system": None, "notebooks": None, "train": None, "serve": None},
    "servers": {"chat": None},
    "observability": None,
    "notebooks": None,
    "tracking": None,
    "storage": None,
    "queueing": None,
    "teams": {"research": {"limits": {"vcpus": 64, "memoryGib": 256, "gpus": 8}}},
    "accelerators": {"dcgmHostEngine": "exporter"},
}
# What of the research profile talks to the internet.
OFFLINE = {"notebooks": None, "tracking": {"weightsAndBiases": None}, "servers": {"chat": None}}
SYSTEM = {"system": {"kind": "managed", "instanceTypes": ["m7i.large"], "size": 2}}


def platform(settings: dict[str, Any], *, name: str = "lab", kubeconfig: str | None = None) -> Plan:
    spec = platform_spec(settings, region="us-west-2", name=name)

    def program() -> None:
        secrets = {"kubeconfig": pulumi.Output.secret(kubeconfig)} if kubeconfig else {}
        pulumi.export("platform", Platform(spec.name, spec, secrets=secrets).exports)

    return recorded(program)


@cache
def research() -> Plan:
    return platform({"profile": "research"})


def found(settings: dict[str, Any], *, region: str = "us-west-2") -> list[str]:
    with pytest.raises(SpecError) as error:
        platform_spec({"profile": "research", **settings}, region=region, name="lab")
    return str(error.value).splitlines()


def release(plan: Plan, chart: str) -> Resource:
    (resource,) = [each for each in plan.of_type("kubernetes:helm.sh/v3:Release") if each.inputs["name"] == chart]
    return resource


def addon(plan: Plan, name: str) -> Resource:
    (resource,) = [each for each in plan.of_type("aws:eks/addon:Addon") if each.inputs["addonName"] == name]
    return resource


# What it makes


def test_it_works_alone() -> None:
    assert names_of(research(), "eksml:platform:Platform") == ["lab"]
    exported = research().exports["platform"]
    assert exported["clusterName"] == "lab"
    assert exported["kubeconfig"] == "[secret]"
    assert set(exported["pools"]) == {"system", "notebooks", "train", "serve"}


def test_a_platform_needs_no_profile_and_no_gpus() -> None:
    plan = platform({"network": {"kind": "new"}, "cluster": {"kind": "new"}, "pools": SYSTEM})
    assert plan.of_type("kubernetes:helm.sh/v3:Release") == []
    assert names_of(plan, "aws:eks/nodeGroup:NodeGroup") == ["lab-system"]
    assert "eksml:profile" not in one(plan, "aws:ec2/vpc:Vpc").inputs["tags"]


def test_everything_in_aws_carries_the_tags_of_the_platform() -> None:
    plan = platform({"profile": "production", "tags": {"cost-center": "42"}})
    tags = {"cost-center": "42", "eksml:platform": "lab", "eksml:profile": "production"}
    taggable = [resource for resource in plan.resources if "tags" in resource.inputs]
    assert len(taggable) > 40
    for resource in taggable:
        assert tags.items() <= resource.inputs["tags"].items(), resource.urn
    for node_class in plan.of_type("kubernetes:karpenter.k8s.aws/v1:EC2NodeClass"):
        assert tags.items() <= node_class.inputs["spec"]["tags"].items()


def test_everything_in_kubernetes_goes_through_the_one_provider_of_the_cluster() -> None:
    provider = one(research(), "pulumi:providers:kubernetes").urn
    inside = [resource for resource in research().resources if resource.package == "kubernetes"]
    assert {resource.provider for resource in inside} == {provider}


def test_every_addon_of_a_new_cluster_is_there() -> None:
    installed = {resource.inputs["addonName"] for resource in research().of_type("aws:eks/addon:Addon")}
    assert installed == {
        "aws-ebs-csi-driver",
        "aws-mountpoint-s3-csi-driver",
        "coredns",
        "eks-node-monitoring-agent",
        "eks-pod-identity-agent",
        "metrics-server",
    }, "VPC CNI and kube-proxy come with the cluster itself"


def test_two_controllers_of_karpenter_need_two_nodes() -> None:
    settings = {"profile": "research", "pools": {"system": {"size": 1}}}
    assert release(platform(settings), "karpenter").inputs["values"]["replicas"] == 1
    assert release(research(), "karpenter").inputs["values"]["replicas"] == 2


def test_an_existing_cluster_gets_pools_identities_and_components_and_keeps_what_it_has() -> None:
    plan = platform({"profile": "research", **EXISTING})
    assert names_of(plan, "aws:eks/nodeGroup:NodeGroup") == ["lab-notebooks", "lab-system"]
    assert names_of(plan, "kubernetes:karpenter.sh/v1:NodePool") == ["lab-serve", "lab-train"]
    assert names_of(plan, "aws:eks/addon:Addon") == ["lab-buckets-csi"], "only what a component of ours brings"
    assert plan.of_type("aws:ec2/vpc:Vpc") == plan.of_type("eks:index:Cluster") == []
    policies = [each.inputs["policyArn"] for each in plan.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment")]
    assert sum(arn.endswith("/AmazonEKS_CNI_Policy") for arn in policies) == 2, "its VPC CNI may have no other rights"


def test_an_existing_cluster_gets_the_addons_that_it_lacks() -> None:
    cluster = {**EXISTING["cluster"], "addons": ["aws-ebs-csi-driver", "metrics-server"]}
    plan = platform(
        {"profile": "research", **EXISTING, "cluster": cluster, "storage": {"bucketMounts": None}, "tracking": None}
    )
    assert {each.inputs["addonName"] for each in plan.of_type("aws:eks/addon:Addon")} == set(cluster["addons"])
    assert plan.of_type("kubernetes:storage.k8s.io/v1:StorageClass")


def test_a_cluster_by_its_kubeconfig_gets_kubernetes_components_only() -> None:
    plan = platform(BY_KUBECONFIG, kubeconfig="their kubeconfig")
    assert [resource.type for resource in plan.resources if resource.package == "aws"] == []
    assert release(plan, "nvidia-device-plugin")
    hard = one(plan, "kubernetes:core/v1:ResourceQuota").inputs["spec"]["hard"]
    assert (hard["requests.cpu"], hard["requests.memory"], hard["requests.nvidia.com/gpu"]) == ("64", "256Gi", "8")
    assert plan.exports["platform"] == {
        "profile": "research",
        "region": "us-west-2",
        "kubeconfig": "[secret]",
        "pools": {},
    }


def test_a_cluster_by_its_kubeconfig_is_not_guessed() -> None:
    with pytest.raises(SpecError, match="kubeconfig: missing: a cluster of kind kubeconfig needs it, as a secret"):
        platform(BY_KUBECONFIG)


# The order in which it is made, and backwards destroyed


def test_nodes_come_up_with_a_way_out_their_agents_their_rights_and_an_identity_for_vpc_cni() -> None:
    plan = research()
    rights = plan.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
    wanted = [
        *plan.of_type("aws:ec2/route:Route"),
        *plan.of_type("aws:ec2/routeTableAssociation:RouteTableAssociation"),
        *(attachment for attachment in rights if attachment.name.startswith("lab-node-")),
        addon(plan, "eks-pod-identity-agent"),
        addon(plan, "eks-node-monitoring-agent"),
        one(plan, "aws:eks/podIdentityAssociation:PodIdentityAssociation", "lab-vpc-cni"),
    ]
    for group in plan.of_type("aws:eks/nodeGroup:NodeGroup"):
        assert {resource.urn for resource in wanted} <= needs(plan, group)


@pytest.mark.parametrize("name", ["coredns", "metrics-server", "aws-ebs-csi-driver"])
def test_what_needs_nodes_waits_for_the_system_pool_and_not_for_gpus(name: str) -> None:
    needed = needs(research(), addon(research(), name))
    system, notebooks = (
        one(research(), "aws:eks/nodeGroup:NodeGroup", pool).urn for pool in ("lab-system", "lab-notebooks")
    )
    assert system in needed
    assert notebooks not in needed


def test_karpenter_comes_after_dns_and_its_pools_after_it() -> None:
    plan = research()
    controller = release(plan, "karpenter")
    assert addon(plan, "coredns").urn in needs(plan, controller)
    for kind in ("karpenter.sh/v1:NodePool", "karpenter.k8s.aws/v1:EC2NodeClass"):
        for made in plan.of_type(f"kubernetes:{kind}"):
            assert controller.urn in needs(plan, made), "its nodes would outlive it on destroy"


def test_independent_things_do_not_wait_for_each_other() -> None:
    plan = research()
    controller, plugin = release(plan, "karpenter").urn, release(plan, "nvidia-device-plugin").urn
    assert controller not in needs(plan, release(plan, "nvidia-device-plugin"))
    assert plugin not in needs(plan, release(plan, "karpenter"))


def test_the_network_goes_last() -> None:
    plan = research()
    vpc = one(plan, "aws:ec2/vpc:Vpc").urn
    beside_the_network = ("aws:ec2/vpc:", "aws:iam", "aws:kms", "aws:cloudwatch/logGroup")
    for resource in plan.resources:
        if resource.package in ("aws", "eks", "kubernetes") and not resource.type.startswith(beside_the_network):
            assert vpc in needs(plan, resource), resource.urn


# Names


AUTONAME_LENGTH = len("-0123456")
LONGEST_NAME = {
    "aws:cloudwatch/eventRule:EventRule": 64,
    "aws:eks/nodeGroup:NodeGroup": 63,
    "aws:iam/instanceProfile:InstanceProfile": 128,
    "aws:iam/role:Role": 64,
    "aws:iam/rolePolicy:RolePolicy": 128,
    "aws:sqs/queue:Queue": 80,
    "aws:ec2/launchTemplate:LaunchTemplate": 128,
    "aws:ec2/securityGroup:SecurityGroup": 255,
}


def test_names_fit_into_aws_and_kubernetes_however_long_the_platforms_and_the_pools_are() -> None:
    name = "a" * 32
    pools = {
        "b" * 20: {"kind": "managed", "accelerator": "nvidia", "instanceTypes": ["g6.xlarge"], "size": 1},
        "c" * 20: {"kind": "karpenter", "accelerator": "nvidia", "instanceTypes": ["g6.xlarge"], "gpuLimit": 1},
    }
    endpoints = {"interfaceEndpoints": ["ecr.api", "elasticloadbalancing"]}
    plan = platform({"profile": "production", "pools": pools, "network": endpoints}, name=name)
    judged = [
        resource for resource in plan.resources if resource.type in LONGEST_NAME and "name" not in resource.inputs
    ]
    assert {resource.type for resource in judged} == set(LONGEST_NAME)
    for resource in judged:
        assert len(resource.name) + AUTONAME_LENGTH <= LONGEST_NAME[resource.type], resource.name
    for resource in plan.resources:
        metadata = resource.inputs.get("metadata", {})
        assert len(metadata.get("name", "")) <= 63
        assert all(len(value) <= 256 for value in resource.inputs.get("tags", {}).values())


# What cannot be


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        ({"network": None}, ["network: missing: a new cluster needs a VPC, kind: new or existing"]),
        (
            {"cluster": EXISTING["cluster"], "accelerators": EXISTING["accelerators"]},
            ["network: an existing cluster has a VPC: give its subnets, kind: existing"],
        ),
        (
            {"cluster": {"kind": "kubeconfig", "identifier": "theirs"}},
            [
                "accelerators.dcgmHostEngine: missing: give nodeMonitoringAgent if",
                "network: given, but a cluster by its kubeconfig is used as it is: set it to null",
                "pools.notebooks: given, but a cluster by its kubeconfig is used as it is: set it to null",
                "pools.serve: given, but",
                "pools.system: given, but",
                "pools.train: given, but",
                "queueing: given, but without pools there is nothing to queue for: set it to null",
                "storage: given, but a cluster by its kubeconfig gets nothing in AWS: set it to null",
            ],
        ),
        (
            {"accelerators": {"dcgmHostEngine": "exporter"}},
            ["accelerators.dcgmHostEngine: exporter given, must be nodeMonitoringAgent: the node monitoring agent"],
        ),
        (
            {"network": {"zones": ["usw2-az1", "use1-az2", "us-east-1c"]}},
            [
                "network.zones[1]: 'use1-az2' is not in us-west-2, which has usw2-az1, usw2-az2, usw2-az3, usw2-az4",
                "network.zones[2]: 'us-east-1c' is not in us-west-2",
            ],
        ),
        (
            {"pools": {"train": {"zones": ["usw2-az4"]}}},
            ["pools.train.zones[0]: 'usw2-az4' is not a zone of the network: usw2-az1, usw2-az2, usw2-az3"],
        ),
        (
            {"network": {"cidr": "10.100.0.0/16"}, "cluster": {"serviceCidr": "10.100.0.0/20"}},
            ["cluster.serviceCidr: '10.100.0.0/20' overlaps the VPC's 10.100.0.0/16: services need"],
        ),
        (
            {"cluster": {"publicAccessCidrs": ["0.0.0.0/0", "8.0.0.0/7", "203.0.113.0/24"]}},
            [
                "cluster.publicAccessCidrs[0]: '0.0.0.0/0' opens the API server to the internet: give your own ranges,",
                "cluster.publicAccessCidrs[1]: '8.0.0.0/7' opens the API server to the internet",
            ],
        ),
        (
            {"waivers": {"open-publik-endpoint": "because we can", "open-public-endpoint": "why"}},
            [
                "waivers.open-public-endpoint: 'why' given, must be a reason of at least ten characters",
                "waivers.open-publik-endpoint: there is no such check, did you mean 'open-public-endpoint'?",
            ],
        ),
        (
            {"waivers": {"not-publik:web": "because we can", "not-public:": "because we can"}},
            [
                'waivers["not-public:"]: no resource after the colon: give its name as the finding has it, or',
                "waivers[\"not-publik:web\"]: there is no such check, did you mean 'not-public'?",
            ],
        ),
        (
            {"pools": {"system": {"size": 0}}},
            [
                "pools: no managed pool with accelerator: none and a size of at least 1: CoreDNS, Karpenter and other",
                "teams.research.quotas.system: 4 vcpus given, with what it may borrow, but the whole",
            ],
        ),
        (
            {"storage": {"modelBucket": {"writers": [{"namespace": "research", "name": "workload"}]}}},
            ["storage.modelBucket.writers[0]: 'research/workload' given, but EKS gives a service account one identity"],
        ),
        (
            {
                "pools": {
                    "arm": {"kind": "managed", "accelerator": "nvidia", "instanceTypes": ["g5g.xlarge"], "size": 1}
                }
            },
            [
                "pools.arm.instanceTypes: its nodes are arm64, but dcgm-server must run on them and add-on "
                "eks-node-monitoring-agent is built for amd64 only"
            ],
        ),
        ({"tags": {"aws:x": "y"}}, ['tags["aws:x"]: AWS, EKS, Karpenter or this library set this tag']),
        (
            {"tags": {"Name": "y", "karpenter.sh/nodepool": "y"}},
            ["tags.Name: AWS, EKS,", 'tags["karpenter.sh/nodepool"]: AWS'],
        ),
        ({"tags": {f"key-{number}": "y" for number in range(41)}}, ["tags: 41 given, must be at most 40"]),
        (
            {"pools": {"Größe": SYSTEM["system"], "a" * 21: SYSTEM["system"], "a.b": SYSTEM["system"]}},
            [
                "pools.Größe: 'Größe' given, must be at most 20 lower-case letters, digits and hyphens",
                f"pools.{'a' * 21}: '{'a' * 21}' given, must be at most 20",
                "pools[\"a.b\"]: 'a.b' given, must be at most 20",
            ],
        ),
        (
            {"name": "my platform"},
            ["name: 'my platform' given, must be 2 to 32 lower-case letters, digits and hyphens"],
        ),
        ({"region": "us-east-1"}, ["region: unknown key: the region of a stack is aws:region"]),
        ({"profile": "reserch"}, ["profile: 'reserch' given, must be research, production or startup, did you mean"]),
    ],
)
def test_what_does_not_fit_together_is_refused(settings: dict[str, Any], lines: list[str]) -> None:
    check_problems(found(settings), lines)


def test_a_zone_that_eks_refuses_is_refused_by_its_id_and_cannot_hide_behind_a_name() -> None:
    zones = {"network": {"zones": ["use1-az1", "use1-az3", "us-east-1b"]}}
    check_problems(
        found(zones, region="us-east-1"),
        [
            "network.zones[1]: 'use1-az3' is refused by EKS, take one of use1-az1, use1-az2, use1-az4",
            "network.zones[2]: 'us-east-1b' may be use1-az3, which EKS refuses (names differ per account): give",
        ],
    )


def test_an_instance_type_is_offered_where_the_platform_is() -> None:
    pools = {"pools": {"train": {"instanceTypes": ["g6.12xlarge", "p6-b300.48xlarge"]}}}
    line = "pools.train.instanceTypes[1]: EC2 does not offer p6-b300.48xlarge in eu-central-1: it is in us-east-1,"
    check_problems(found(pools, region="eu-central-1"), [line])


@pytest.mark.parametrize("waiver", ["open-public-endpoint", "open-public-endpoint:eksml-lab"])
def test_the_whole_internet_may_be_let_in_for_a_reason(waiver: str) -> None:
    settings = {
        "profile": "research",
        "cluster": {"publicAccessCidrs": ["0.0.0.0/0"]},
        "waivers": {waiver: "students without fixed addresses"},
    }
    assert one(platform(settings), "eks:index:Cluster").inputs["publicAccessCidrs"] == ["0.0.0.0/0"]


def test_a_pool_without_gpus_may_have_the_other_architecture() -> None:
    pools = overlaid(SYSTEM, {"system": {"instanceTypes": ["m7g.large"]}})
    plan = platform({"network": {"kind": "new"}, "cluster": {"kind": "new"}, "pools": pools})
    assert one(plan, "aws:eks/nodeGroup:NodeGroup").inputs["amiType"] == "AL2023_ARM_64_STANDARD"


def test_gpus_that_nothing_could_use_are_refused() -> None:
    check_problems(found({"accelerators": None}), ["accelerators: missing, must be of kind devicePlugin or"])


def test_an_unknown_region_is_named_and_not_only_its_zones() -> None:
    check_problems(
        found({}, region="us-wset-2"), ["network.zones: missing, and 'us-wset-2' is not in the catalog, did you mean"]
    )


# Teams


def production(**settings: Any) -> Plan:
    return platform({"profile": "production", **settings})


def test_a_team_goes_before_its_queue_and_before_what_clears_up_after_it() -> None:
    plan = production()
    team = one(plan, "eksml:tenancy:Team", "lab-training")
    before = needs(plan, team)
    for kind in ("kueue.x-k8s.io/v1beta2:ClusterQueue", "karpenter.sh/v1:NodePool"):
        assert {each.urn for each in plan.of_type(f"kubernetes:{kind}") if "serving" not in each.urn} <= before
    assert addon(plan, "aws-ebs-csi-driver").urn in before


def test_load_balancers_live_where_no_pod_does() -> None:
    plan = production()
    policy = one(plan, "kubernetes:networking.k8s.io/v1:NetworkPolicy", "lab-training-load-balancers").inputs
    let_in = {each["ipBlock"]["cidr"] for each in policy["spec"]["ingress"][0]["from"]}
    subnets = plan.of_type("aws:ec2/subnet:Subnet")
    assert let_in == {each.inputs["cidrBlock"] for each in subnets if "-public-" in each.name}
    private = [each for each in subnets if "-private-" in each.name]
    assert not any("kubernetes.io/role/internal-elb" in each.inputs["tags"] for each in private)


def test_teams_need_no_queues() -> None:
    plan = production(queueing=None)
    assert not any("kueue" in each.type for each in plan.resources)
    assert len(plan.of_type("kubernetes:core/v1:ResourceQuota")) == 2


@pytest.mark.parametrize(
    ("teams", "lines"),
    [
        (
            {"a": {"quotas": {"trian": {"gpus": 1}}}},
            ["teams.a.quotas.trian: there is no such pool, did you mean 'train'?"],
        ),
        (
            {"a": {"quotas": {"train": {"vcpus": 1}}}},
            ["teams.a.quotas.train: vcpus given, but the pool has GPUs: give gpus"],
        ),
        (
            {"a": {"quotas": {"train": {"gpus": 16, "borrow": 1}}}},
            ["teams.a.quotas.train: 17 gpus given, with what it may borrow, but the whole pool has at most 16"],
        ),
        (
            {name: {"quotas": {"train": {"gpus": 0}}} for name in ("kube-x", "nvidia")},
            ["teams.kube-x: the namespace of this name", "teams.nvidia: the namespace"],
        ),
        ({"a": {}}, ["teams.a.quotas: empty, needs a pool: a job waits for ever in a queue without a quota"]),
        (
            {"a": {"limits": {"vcpus": 8, "memoryGib": 32}}},
            ["teams.a.quotas: empty, needs a pool: a job waits for ever in a queue without a quota"],
        ),
        (
            {
                name: {"principals": ["arn:aws:iam::123456789012:role/x"], "quotas": {"train": {"gpus": 0}}}
                for name in ("a", "b")
            },
            ["teams.b.principals[0]: EKS knows a principal once, and this one is in teams.a"],
        ),
    ],
)
def test_what_a_team_cannot_have_is_refused(teams: dict[str, Any], lines: list[str]) -> None:
    nobody = {"servers": {"chat": None}, "notebooks": {"team": None}, "tracking": None}
    check_problems(found({**nobody, "teams": {"research": None, **teams}}), lines)


def test_no_team_may_take_every_cpu_there_is() -> None:
    line = "teams.a: neither quotas nor limits given, needs one"
    check_problems(found({"queueing": None, "teams": {"a": {}}}), [line])
    check_problems(found({**BY_KUBECONFIG, "teams": {"research": {}}}), ["teams.research: neither quotas nor limits"])


def test_a_load_balancer_that_a_team_may_have_needs_a_way_to_its_pods() -> None:
    settings = {**EXISTING, "teams": {"research": {"loadBalancers": 2}}}
    line = "network.loadBalancerCidrs: missing: without it no load balancer reaches the pods of teams, and research may"
    check_problems(found(settings), [line])
    settings["network"] = {**VPC, "loadBalancerCidrs": ["10.20.48.0/24"]}
    assert platform({"profile": "research", **settings})


# Gateways

ENTRY = {"gateway": {}, "teams": {"research": {"gateway": {}}}}
LOAD_BALANCER = "kubernetes:gateway.k8s.aws/v1:LoadBalancerConfiguration"
GATEWAY = "kubernetes:gateway.networking.k8s.io/v1:Gateway"
CERTIFICATE = {"kind": "certificate", "arn": "arn:aws:acm:us-west-2:123456789012:certificate/0123"}
LOGIN = {
    "kind": "openIdConnect",
    "issuer": "https://id.example.com",
    "authorizationEndpoint": "https://id.example.com/authorize",
    "tokenEndpoint": "https://id.example.com/token",
    "userInfoEndpoint": "https://id.example.com/userinfo",
    "secret": "login",
}


@cache
def with_entry() -> Plan:
    return platform({"profile": "research", **ENTRY})


def test_a_team_has_an_entry_only_where_it_is_asked_for() -> None:
    assert research().of_type(GATEWAY) == []
    assert one(with_entry(), GATEWAY).inputs["metadata"]["namespace"] == "research"
    labels = one(with_entry(), "kubernetes:core/v1:Namespace", "lab-research-namespace").inputs["metadata"]["labels"]
    assert labels["elbv2.k8s.aws/pod-readiness-gate-inject"] == "enabled"


def test_a_load_balancer_is_gone_before_its_controller_and_that_before_its_rights_dns_and_nodes() -> None:
    plan = with_entry()
    controller = release(plan, "aws-load-balancer-controller")
    assert controller.urn in needs(plan, one(plan, GATEWAY))
    before = needs(plan, controller)
    assert addon(plan, "coredns").urn in before
    assert addon(plan, "eks-pod-identity-agent").urn in before
    assert one(plan, "aws:eks/nodeGroup:NodeGroup", "lab-system").urn in before
    assert one(plan, "aws:ec2/vpc:Vpc").urn in before
    assert controller.inputs["values"]["clusterName"] == "lab"


def test_a_platform_with_an_entry_passes_its_own_checks() -> None:
    assert [each for each in run_checks(with_entry()).findings if each.check != "waiver-used"] == []


def test_only_the_subnets_of_the_entry_and_the_teams_own_get_in_from_wherever_requests_may_come() -> None:
    narrowed = {**ENTRY, "teams": {"research": {"gateway": {"sourceRanges": ["192.0.2.0/24"]}}}}
    for plan in (with_entry(), platform({"profile": "research", **narrowed})):
        subnets = plan.of_type("aws:ec2/subnet:Subnet")
        found = [each.inputs["tags"] for each in subnets if "kubernetes.io/role/internal-elb" in each.inputs["tags"]]
        policies = plan.of_type("kubernetes:networking.k8s.io/v1:NetworkPolicy")
        ranges = {
            source["ipBlock"]["cidr"]
            for policy in policies
            for rule in policy.inputs["spec"].get("ingress") or ()
            for source in rule["from"]
            if "ipBlock" in source
        }
        assert ranges == {each.inputs["cidrBlock"] for each in subnets if each.inputs["tags"] in found}
        assert len(ranges) == 3


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        (
            {"teams": {"research": {"gateway": {}}}},
            ["gateway: missing: the gateway of research needs the load balancer controller; gateway: {} is enough"],
        ),
        (
            {"gateway": {}, "teams": {"research": {"gateway": {"tls": CERTIFICATE, "authentication": LOGIN}}}},
            ["teams.research.gateway.authentication: openIdConnect given, but an internal load balancer of a new VPC"],
        ),
        (
            {
                "gateway": {},
                "teams": {
                    "research": {
                        "gateway": {
                            "tls": {**CERTIFICATE, "arn": "arn:aws:acm:us-east-1:123456789012:certificate/0123"}
                        }
                    }
                },
            },
            ["teams.research.gateway.tls.arn: it is in us-east-1, must be in us-west-2"],
        ),
        (
            {
                "gateway": {},
                "teams": {
                    "research": {"gateway": {"host": "*.example.com"}},
                    "vision": {"quotas": {"train": {"gpus": 1}}, "gateway": {"host": "models.example.com"}},
                },
            },
            ["teams.vision.gateway.host: 'models.example.com' given, and research has '*.example.com'"],
        ),
        (
            {**ENTRY, "gateway": {"externalDns": {"hostedZones": ["Z0123456789"]}}},
            ["teams.research.gateway.host: missing: ExternalDNS writes whatever name a route has"],
        ),
        (
            {**EXISTING, **ENTRY},
            ["network.loadBalancerCidrs: missing: without it no load balancer reaches the pods of teams, and research"],
        ),
        (
            {**BY_KUBECONFIG, "gateway": {}},
            ["gateway: given, but a cluster by its kubeconfig gets nothing in AWS"],
        ),
    ],
)
def test_an_entry_that_cannot_be_is_refused(settings: dict[str, Any], lines: list[str]) -> None:
    check_problems(found(settings), lines)


def test_people_may_log_in_where_the_load_balancer_reaches_their_provider() -> None:
    public = {"scheme": "internetFacing", "tls": CERTIFICATE, "authentication": LOGIN}
    plan = platform({"profile": "research", "gateway": {}, "teams": {"research": {"gateway": public}}})
    assert one(plan, LOAD_BALANCER).inputs["spec"]["scheme"] == "internet-facing"
    assert [each for each in run_checks(plan).findings if each.check == "not-public"] == []


def test_names_need_a_way_to_route_53() -> None:
    endpoints = list(catalog.vpc_endpoints().needed_without_nat)
    settings = {
        **OFFLINE,
        "network": {"natGateways": "none", "interfaceEndpoints": endpoints},
        "imageRegistry": "registry.example.com",
        "gateway": {"externalDns": {"hostedZones": ["Z0123456789"]}},
    }
    check_problems(found(settings), ["gateway.externalDns: given, but Route 53 has no endpoint in the VPC"])


def test_a_pod_of_a_team_runs_in_the_pools_of_its_quotas() -> None:
    policy = one(
        production(), "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy", "lab-training-pods"
    )
    rules = [each["expression"] for each in policy.inputs["spec"]["validations"]]
    assert any(rule.endswith("in ['system', 'train', 'burst']") for rule in rules)


# Accelerators and registries

MIG = {"kind": "mig", "profile": "1g.10gb"}


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        (
            {
                "pools": {
                    "notebooks": {"instanceTypes": ["p5.48xlarge"], "sharing": {"kind": "mig", "profile": "1g.10gb"}}
                }
            },
            ["pools.notebooks.sharing: mig given, but only accelerators.kind: gpuOperator divides GPUs"],
        ),
        (
            {"accelerators": {"kind": "gpuOperator"}, "pools": {"train": {"amiFamily": "bottlerocket"}}},
            ["pools.train.amiFamily: bottlerocket given, must be al2023: the GPU operator does not"],
        ),
        ({"imageRegistry": "https://registry"}, ["imageRegistry: 'https://registry' given, must be the address"]),
    ],
)
def test_what_no_accelerator_can_do_is_refused(settings: dict[str, Any], lines: list[str]) -> None:
    check_problems(found(settings), lines)


def test_without_a_way_out_images_come_from_a_registry_within_reach() -> None:
    endpoints = list(catalog.vpc_endpoints().needed_without_nat)
    network = {"natGateways": "none", "interfaceEndpoints": endpoints}
    check_problems(found({**OFFLINE, "network": network}), ["imageRegistry: missing: without a NAT gateway"])
    plan = platform({"profile": "research", **OFFLINE, "network": network, "imageRegistry": "registry.example.com"})
    releases = plan.of_type("kubernetes:helm.sh/v3:Release")
    assert all(each.inputs["chart"].startswith("oci://registry.example.com/") for each in releases)


def test_the_device_plugin_knows_every_way_of_sharing_of_the_pools() -> None:
    config = release(research(), "nvidia-device-plugin").inputs["values"]["config"]
    assert set(config["map"]) == {"exclusive", "time-slicing-4"}


def test_efa_brings_its_device_plugin_and_nothing_else_does() -> None:
    train = {"instanceTypes": ["p4d.24xlarge"], "zones": ["usw2-az1"], "efa": True, "capacityTypes": ["onDemand"]}
    plan = platform({"profile": "research", "pools": {"train": train}})
    assert release(plan, "aws-efa-k8s-device-plugin")
    assert one(research(), "eksml:accelerators:DevicePlugin")
    assert research().of_type("eksml:accelerators:EfaDevicePlugin") == []


# Training


def frameworks(plan: Plan) -> list[str]:
    values = release(plan, "kueue").inputs["values"]["managerConfig"]["controllerManagerConfigYaml"]
    return yaml.safe_load(values)["integrations"]["frameworks"]


def test_each_profile_has_the_operators_of_its_team() -> None:
    assert release(research(), "kuberay-operator")
    made = {each.name for each in production().of_type("kubernetes:kustomize/v2:Directory")}
    assert made == {"lab-training-operator", "lab-mpi-operator", "lab-prometheus-crds"}
    assert platform({"profile": "startup"}).of_type("eksml:training:TrainingOperators") == []


def test_in_production_no_operator_stands_still_because_one_node_goes() -> None:
    budgets = production().of_type("kubernetes:policy/v1:PodDisruptionBudget")
    assert {each.inputs["metadata"]["namespace"] for each in budgets} == {
        "kubeflow",
        "mlflow",
        "mpi-operator",
        "serving",
    }


def test_what_the_operators_bring_is_queued_beside_what_is_asked_for() -> None:
    assert set(frameworks(research())) >= {"batch/job", "ray.io/raycluster", "ray.io/rayjob", "ray.io/rayservice"}
    assert set(frameworks(production())) >= {
        "batch/job",
        "kubeflow.org/jaxjob",
        "kubeflow.org/mpijob",
        "kubeflow.org/paddlejob",
        "kubeflow.org/pytorchjob",
        "kubeflow.org/tfjob",
        "kubeflow.org/xgboostjob",
    }
    own = production(queueing={"frameworks": ["kubeflow.org/mpijob", "batch/job"]})
    assert len(frameworks(own)) == len(set(frameworks(own)))
    assert frameworks(production(training=None))[:1] == ["batch/job"]
    assert "kubeflow.org/mpijob" not in frameworks(production(training=None))


def test_members_of_a_team_may_make_every_kind_of_job_that_an_operator_brings() -> None:
    role = one(production(), "kubernetes:rbac.authorization.k8s.io/v1:Role", "lab-training-role").inputs
    allowed = {(group, kind) for rule in role["rules"] for group in rule["apiGroups"] for kind in rule["resources"]}
    of_training = [each for each in catalog.kustomizations().values() if str(each.setting).startswith("training.")]
    assert len(of_training) == 3
    for definition in (crd for overlay in of_training for crd in overlay.crds):
        plural, _, group = definition.partition(".")
        assert (group, plural) in allowed


def test_operators_come_after_nodes_that_they_can_run_on_and_go_after_the_jobs_of_teams() -> None:
    for plan, made in ((production(), "kubernetes:kustomize/v2:Directory"), (research(), "eksml:training:KubeRay")):
        for operator in plan.of_type(made):
            assert one(plan, "aws:eks/nodeGroup:NodeGroup", "lab-system").urn in needs(plan, operator)
            for team in plan.of_type("eksml:tenancy:Team"):
                assert operator.urn in needs(plan, team), "its controller clears up what a job leaves"


def test_operators_and_karpenter_do_not_wait_for_each_other() -> None:
    operator, karpenter = release(research(), "kuberay-operator"), release(research(), "karpenter")
    assert operator.urn not in needs(research(), karpenter)
    assert karpenter.urn not in needs(research(), operator)


def test_a_cluster_by_its_kubeconfig_can_have_operators() -> None:
    settings = {**BY_KUBECONFIG, "training": {"trainingOperator": {"replicas": 2}}}
    plan = platform(settings, kubeconfig="their kubeconfig")
    assert release(plan, "kuberay-operator")
    assert one(plan, "kubernetes:kustomize/v2:Directory", "lab-training-operator")


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        (
            {"training": {"kubeRay": {"watchNamespaces": ["research", "reserch"]}}},
            ["training.kubeRay.watchNamespaces[1]: 'reserch' is no team, did you mean 'research'?"],
        ),
        (
            {"teams": {name: {"quotas": {"train": {"gpus": 0}}} for name in ("kubeflow", "kuberay-system")}},
            ["teams.kubeflow: the namespace of this name", "teams.kuberay-system: the namespace of this name"],
        ),
        ({"training": {"kubeRay": {"replicas": 0}}}, ["training.kubeRay.replicas: 0 given, must be at least 1"]),
        ({"training": {"kuberay": {}}}, ["training.kuberay: unknown key, did you mean 'kubeRay'?"]),
    ],
)
def test_what_training_cannot_have_is_refused(settings: dict[str, Any], lines: list[str]) -> None:
    check_problems(found(settings), lines)


# Observability


MEASURED = {"observability": {"prometheus": {}}}


def test_prometheus_comes_after_what_its_volumes_need_and_goes_before_it() -> None:
    plan = platform({"profile": "research", **MEASURED})
    prometheus = release(plan, "kube-prometheus-stack")
    for needed in ("aws-ebs-csi-driver", "coredns"):
        assert addon(plan, needed).urn in needs(plan, prometheus)
    assert one(plan, "aws:eks/nodeGroup:NodeGroup", "lab-system").urn in needs(plan, prometheus)
    assert release(plan, "karpenter").urn not in needs(plan, prometheus)
    for team in plan.of_type("eksml:tenancy:Team"):
        assert prometheus.urn in needs(plan, team), "what measures a team's pods goes before the definitions of it"


@pytest.mark.parametrize(("kind", "chart"), [("devicePlugin", "dcgm-exporter"), ("gpuOperator", "gpu-operator")])
def test_gpus_are_measured_once_prometheus_has_brought_the_kind_for_it(kind: str, chart: str) -> None:
    def monitor(plan: Plan) -> Any:
        values = release(plan, chart).inputs["values"]
        return values.get("dcgmExporter", values)["serviceMonitor"]

    settings = {"profile": "research", "accelerators": {"kind": kind}}
    plan = platform({**settings, **MEASURED})
    assert (monitor(plan)["enabled"], monitor(plan)["honorLabels"]) == (True, True)
    definitions = one(plan, "kubernetes:kustomize/v2:Directory", "lab-prometheus-crds")
    assert definitions.urn in needs(plan, release(plan, chart))
    assert release(plan, "kube-prometheus-stack").urn not in needs(plan, release(plan, chart))
    without = {**settings, "observability": None, "servers": {"chat": None}}
    assert monitor(platform(without)) == {"enabled": False}


def test_a_cluster_by_its_kubeconfig_can_be_measured() -> None:
    settings = {**BY_KUBECONFIG, "observability": {"prometheus": {"storageClass": "standard"}}}
    assert release(platform(settings, kubeconfig="their kubeconfig"), "kube-prometheus-stack")


def test_prometheus_comes_from_a_registry_of_ones_own_with_the_rest() -> None:
    plan = platform({"profile": "research", "imageRegistry": "registry.example.com", **MEASURED})
    assert release(plan, "kube-prometheus-stack").inputs["chart"].startswith("oci://registry.example.com/ghcr.io/")


# Services


DOMAIN = {"host": "*.ml.example.com", "tls": {"kind": "certificate", "arn": CERTIFICATE["arn"]}}
HUB = {"pools": ["train"], "authentication": {"kind": "dummy", "forDevelopmentOnly": True}}


def test_behind_an_entry_each_service_has_a_name_and_its_route_comes_after_what_brings_its_kind() -> None:
    for profile in ("research", "production"):
        plan = platform({"profile": profile, "gateway": {"entry": DOMAIN}})
        urls = {service["url"] for service in plan.exports["platform"]["access"].values()}
        routes = plan.of_type("kubernetes:gateway.networking.k8s.io/v1:HTTPRoute")
        hosts = {host for each in routes for host in each.inputs["spec"].get("hostnames", ())}
        assert {f"https://{host}" for host in hosts} <= urls
        assert run_checks(plan).errors == ()
    assert hosts == {"mlflow.ml.example.com", "grafana.ml.example.com"}


def test_secrets_that_are_missing_are_told_in_a_preview_and_end_an_update_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = {"profile": "production"}
    missing = platform(settings).exports["platform"]["missingSecrets"]
    assert missing == ["eksml:mlflowAdminPassword", "eksml:pagerDutyRoutingKey", "eksml:slackWebhookUrl"]
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: False)
    with pytest.raises(RecordingError) as error:
        platform(settings)
    assert [line.partition(": missing")[0] for line in str(error.value).splitlines()] == missing
    assert "pulumi config set --secret eksml:slackWebhookUrl" in str(error.value)


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        (
            {"cluster": {"deletionProtection": True}, "notebooks": HUB},
            ["notebooks.authentication.kind: dummy given, but a cluster with deletionProtection is one that others"],
        ),
        (
            {"notebooks": {"pools": ["system", "gpus"]}},
            ["notebooks.pools[1]: 'gpus' is no pool"],
        ),
        (
            {"observability": {"alerts": {"receivers": [{"kind": "slack", "channel": "#ml"}]}}},
            ["teams.research.owner: missing: alerts about its pods name somebody"],
        ),
        (
            {"tracking": {"mlflow": {"database": {"kind": "rds"}}}, "storage": {"modelBucket": None}, "servers": None},
            [
                "tracking.mlflow.artifacts.bucket: missing: the platform has no model bucket",
                "tracking.tensorBoards.research.bucket: missing: the platform has no model bucket",
            ],
        ),
        ({"tracking": {"mlflow": {}}}, ["tracking.mlflow.database: missing"]),
        (
            {"schedule": {"start": "08:00", "end": "20:00"}, "cluster": {"deletionProtection": True}},
            ["schedule: given, but a cluster with deletionProtection is one that others rely on"],
        ),
    ],
)
def test_services_that_cannot_be_are_refused(settings: dict[str, Any], lines: list[str]) -> None:
    check_problems(found(settings), lines)


def test_without_a_way_out_nothing_that_talks_to_the_internet_is_had() -> None:
    lines = found({"network": {"natGateways": "none"}})
    unreachable = {line.partition(":")[0] for line in lines if "talks to the internet" in line}
    assert unreachable == {"notebooks.authentication", "servers.chat.source", "tracking.weightsAndBiases"}


def test_the_database_does_not_wait_for_the_cluster() -> None:
    plan = production()
    database = one(plan, "aws:rds/instance:Instance")
    assert one(plan, "eks:index:Cluster").urn not in needs(plan, database)
