"""What the parts of a platform ask of each other: what cannot be is refused."""

from typing import Any

import pytest

from eksml import catalog
from platforms import (
    BY_KUBECONFIG,
    CERTIFICATE,
    ENTRY,
    EXISTING,
    LOGIN,
    OFFLINE,
    SYSTEM,
    VPC,
    refused,
    research,
)
from programs import one
from refusals import check_problems


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
    check_problems(refused(settings), lines)


def test_a_zone_that_eks_refuses_is_refused_by_its_id_and_cannot_hide_behind_a_name() -> None:
    zones = {"network": {"zones": ["use1-az1", "use1-az3", "us-east-1b"]}}
    check_problems(
        refused(zones, region="us-east-1"),
        [
            "network.zones[1]: 'use1-az3' is refused by EKS, take one of use1-az1, use1-az2, use1-az4",
            "network.zones[2]: 'us-east-1b' may be use1-az3, which EKS refuses (names differ per account): give",
        ],
    )


def test_an_instance_type_is_offered_where_the_platform_is() -> None:
    pools = {"pools": {"train": {"instanceTypes": ["g6.12xlarge", "p6-b300.48xlarge"]}}}
    line = "pools.train.instanceTypes[1]: EC2 does not offer p6-b300.48xlarge in eu-central-1: it is in us-east-1,"
    check_problems(refused(pools, region="eu-central-1"), [line])


@pytest.mark.parametrize("waiver", ["open-public-endpoint", "open-public-endpoint:eksml-lab"])
def test_the_whole_internet_may_be_let_in_for_a_reason(waiver: str) -> None:
    waivers = {waiver: "students without fixed addresses"}
    plan = research(cluster={"publicAccessCidrs": ["0.0.0.0/0"]}, waivers=waivers)
    assert one(plan, "eks:index:Cluster").inputs["publicAccessCidrs"] == ["0.0.0.0/0"]


def test_gpus_that_nothing_could_use_are_refused() -> None:
    check_problems(refused({"accelerators": None}), ["accelerators: missing, must be of kind devicePlugin or"])


def test_an_unknown_region_is_named_and_not_only_its_zones() -> None:
    check_problems(
        refused({}, region="us-wset-2"), ["network.zones: missing, and 'us-wset-2' is not in the catalog, did you mean"]
    )


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
    check_problems(refused({**nobody, "teams": {"research": None, **teams}}), lines)


def test_no_team_may_take_every_cpu_there_is() -> None:
    line = "teams.a: neither quotas nor limits given, needs one"
    check_problems(refused({"queueing": None, "teams": {"a": {}}}), [line])
    check_problems(refused({**BY_KUBECONFIG, "teams": {"research": {}}}), ["teams.research: neither quotas nor limits"])


def test_a_load_balancer_that_a_team_may_have_needs_a_way_to_its_pods() -> None:
    settings = {**EXISTING, "teams": {"research": {"loadBalancers": 2}}}
    line = "network.loadBalancerCidrs: missing: without it no load balancer reaches the pods of teams, and research may"
    check_problems(refused(settings), [line])
    settings["network"] = {**VPC, "loadBalancerCidrs": ["10.20.48.0/24"]}
    assert research(**settings)


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
    check_problems(refused(settings), lines)


def test_names_need_a_way_to_route_53() -> None:
    endpoints = list(catalog.vpc_endpoints().needed_without_nat)
    settings = {
        **OFFLINE,
        "network": {"natGateways": "none", "interfaceEndpoints": endpoints},
        "imageRegistry": "registry.example.com",
        "gateway": {"externalDns": {"hostedZones": ["Z0123456789"]}},
    }
    check_problems(refused(settings), ["gateway.externalDns: given, but Route 53 has no endpoint in the VPC"])


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
    check_problems(refused(settings), lines)


def test_without_a_way_out_images_come_from_a_registry_within_reach() -> None:
    endpoints = list(catalog.vpc_endpoints().needed_without_nat)
    network = {"natGateways": "none", "interfaceEndpoints": endpoints}
    check_problems(refused({**OFFLINE, "network": network}), ["imageRegistry: missing: without a NAT gateway"])
    plan = research(**OFFLINE, network=network, imageRegistry="registry.example.com")
    releases = plan.of_type("kubernetes:helm.sh/v3:Release")
    assert all(each.inputs["chart"].startswith("oci://registry.example.com/") for each in releases)


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
    check_problems(refused(settings), lines)
