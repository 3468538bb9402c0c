"""Several pods on one GPU: what the nodes of a pool say, what Karpenter is told, and what cannot be."""

import base64
import tomllib
from pathlib import Path
from typing import Any

import pytest

from crds import check_admitted
from eksml.catalog import instance_types
from eksml.nodes.karpenter_pool import KarpenterPool, KarpenterPoolSpec
from eksml.nodes.managed_pool import ManagedPool, ManagedPoolSpec
from eksml.nodes.sharing import Mps, TimeSlicing, config_name
from eksml.plan import Plan
from eksml.spec import parse
from programs import one, recorded
from refusals import check_problems, problems

SUBNETS = {"usw2-az1": "subnet-0123456789abcdef0"}
GPUS = {"accelerator": "nvidia", "instanceTypes": ["g6.12xlarge"]}
TIME_SLICING = {"kind": "timeSlicing", "replicas": 4}
MPS = {"kind": "mps", "replicas": 8}


def managed(**settings: Any) -> ManagedPoolSpec:
    return parse(ManagedPoolSpec, {"kind": "managed", "size": 1, **GPUS, **settings})


def managed_plan(**settings: Any) -> Plan:
    return recorded(
        lambda: ManagedPool(
            "lab-pool",
            managed(**settings),
            pool="pool",
            kubernetes_version="1.36",
            cluster_name="lab",
            role_arn="arn:aws:iam::123456789012:role/node",
            subnets=SUBNETS,
        )
    )


def karpenter_plan(**settings: Any) -> Plan:
    spec = parse(KarpenterPoolSpec, {"kind": "karpenter", "gpuLimit": 8, **GPUS, **settings})
    return recorded(
        lambda: KarpenterPool(
            "lab-pool", spec, pool="pool", cluster_name="lab", instance_profile="lab-node", subnets=SUBNETS
        )
    )


@pytest.mark.parametrize(
    ("sharing", "labels"),
    [
        (TIME_SLICING, {"nvidia.com/device-plugin.config": "time-slicing-4"}),
        (MPS, {"nvidia.com/device-plugin.config": "mps-8"}),
    ],
)
def test_nodes_choose_their_way_of_sharing_by_a_label(sharing: dict[str, Any], labels: dict[str, str]) -> None:
    found = one(managed_plan(sharing=sharing), "aws:eks/nodeGroup:NodeGroup").inputs["labels"]
    assert labels.items() <= found.items()
    template = one(karpenter_plan(sharing=sharing), "kubernetes:karpenter.sh/v1:NodePool").inputs["spec"]["template"]
    assert labels.items() <= template["metadata"]["labels"].items()


def test_the_operator_divides_gpus_by_a_label_too() -> None:
    settings = {"instanceTypes": ["p5.48xlarge"], "sharing": {"kind": "mig", "profile": "1g.10gb"}}
    labels = one(managed_plan(**settings), "aws:eks/nodeGroup:NodeGroup").inputs["labels"]
    assert labels["nvidia.com/mig.config"] == "all-1g.10gb"


def test_without_sharing_no_node_says_anything() -> None:
    labels = one(managed_plan(), "aws:eks/nodeGroup:NodeGroup").inputs["labels"]
    assert not {"nvidia.com/device-plugin.config", "nvidia.com/mig.config"} & set(labels)


@pytest.mark.parametrize(
    ("settings", "gpus"),
    [
        ({}, 4),
        ({"sharing": TIME_SLICING}, 16),
        ({"sharing": MPS}, 32),
        ({"instanceTypes": ["p5.48xlarge"], "sharing": {"kind": "mig", "profile": "3g.40gb"}}, 16),
        ({"instanceTypes": ["p4de.24xlarge"], "sharing": {"kind": "mig", "profile": "1g.10gb"}}, 56),
        ({"instanceTypes": ["p4d.24xlarge"], "sharing": {"kind": "mig", "profile": "1g.5gb"}}, 56),
    ],
)
def test_a_node_offers_as_many_gpus_as_pods_can_have(settings: dict[str, Any], gpus: int) -> None:
    spec = managed(**settings)
    assert spec.gpus_of(instance_types()[spec.instance_types[0]]) == gpus


def test_the_device_plugin_refuses_a_pod_that_takes_several_turns_for_several_gpus() -> None:
    sharing = TimeSlicing(replicas=4).device_plugin_sharing()["timeSlicing"]
    assert sharing["failRequestsGreaterThanOne"] is True
    assert sharing["resources"] == [{"name": "nvidia.com/gpu", "replicas": 4}]
    assert Mps(replicas=8).device_plugin_sharing() == {
        "mps": {"resources": [{"name": "nvidia.com/gpu", "replicas": 8}]}
    }
    assert config_name(Mps(replicas=8)) == "mps-8"


@pytest.mark.parametrize(("sharing", "strategy"), [(TIME_SLICING, "time-slicing"), (MPS, "mps")])
def test_bottlerocket_shares_by_the_settings_of_its_nodes(sharing: dict[str, Any], strategy: str) -> None:
    settings = {"amiFamily": "bottlerocket", "sharing": sharing}
    template = one(managed_plan(**settings), "aws:ec2/launchTemplate:LaunchTemplate").inputs
    node_class = one(karpenter_plan(**settings), "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass").inputs["spec"]
    for text in (base64.b64decode(template["userData"]).decode(), node_class["userData"]):
        nvidia = tomllib.loads(text)["settings"]["kubelet-device-plugins"]["nvidia"]
        assert nvidia["device-sharing-strategy"] == strategy
        assert nvidia[strategy]["replicas"] == sharing["replicas"]
        assert nvidia[strategy]["rename-by-default"] is False
    labels = one(managed_plan(**settings), "aws:eks/nodeGroup:NodeGroup").inputs["labels"]
    assert "nvidia.com/device-plugin.config" not in labels


def test_karpenter_learns_how_many_shares_each_type_has_and_limits_shares() -> None:
    plan = karpenter_plan(instanceTypes=["g6.xlarge", "g6.12xlarge"], sharing=TIME_SLICING)
    overlays = plan.of_type("kubernetes:karpenter.sh/v1alpha1:NodeOverlay")
    told = {overlay.inputs["metadata"]["name"]: overlay.inputs["spec"]["capacity"] for overlay in overlays}
    assert told == {"pool-g6.xlarge": {"nvidia.com/gpu": 4}, "pool-g6.12xlarge": {"nvidia.com/gpu": 16}}
    pool = one(plan, "kubernetes:karpenter.sh/v1:NodePool")
    assert pool.inputs["spec"]["limits"] == {"nvidia.com/gpu": 32}
    assert {overlay.urn for overlay in overlays} <= set(pool.dependencies), "known before the first node is made"


def test_karpenter_admits_what_it_is_told(shared: Path) -> None:
    plan = karpenter_plan(sharing=TIME_SLICING, efa=True, placementGroup=True, zones=["usw2-az1"])
    for kind in ("karpenter.sh/v1alpha1:NodeOverlay", "karpenter.k8s.aws/v1:EC2NodeClass", "karpenter.sh/v1:NodePool"):
        check_admitted(one(plan, f"kubernetes:{kind}").inputs, shared)


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        (
            {"accelerator": "none", "instanceTypes": ["m7i.large"], "sharing": TIME_SLICING},
            ["sharing: given, but the pool has no GPUs"],
        ),
        ({"sharing": {"kind": "timeSlicing", "replicas": 1}}, ["sharing.replicas: 1 given, must be at least 2"]),
        ({"sharing": {"kind": "mps", "replicas": 49}}, ["sharing.replicas: 49 given, must be at most 48"]),
        (
            {"sharing": {"kind": "mig", "profile": "1g.10gb"}},
            ["instanceTypes[0]: g6.12xlarge has no MIG profile '1g.10gb': its L4 has no MIG"],
        ),
        (
            {"instanceTypes": ["p5.48xlarge"], "sharing": {"kind": "mig", "profile": "1g.5gb"}},
            ["instanceTypes[0]: p5.48xlarge has no MIG profile '1g.5gb': it has 1g.10gb, 1g.20gb, 2g.20gb"],
        ),
        (
            {
                "instanceTypes": ["g7e.2xlarge"],
                "amiFamily": "bottlerocket",
                "sharing": {"kind": "mig", "profile": "1g.24gb"},
            },
            ["sharing: mig given, but the GPU operator does not run on bottlerocket: take al2023"],
        ),
        ({"efa": True}, ["zones: 0 given, must be one: efa works within a zone"]),
        (
            {"efa": True, "instanceTypes": ["g6.xlarge"], "zones": ["usw2-az1"]},
            ["instanceTypes[0]: g6.xlarge has no EFA"],
        ),
        (
            {"efa": True, "instanceTypes": ["g6e.12xlarge", "g6e.24xlarge"], "zones": ["usw2-az1"]},
            ["instanceTypes[1]: g6e.24xlarge has 2 EFA interfaces and g6e.12xlarge 1: make a pool of each"],
        ),
        (
            {"efa": True, "instanceTypes": ["p6-b300.48xlarge"], "zones": ["usw2-az1"]},
            ["instanceTypes[0]: which network cards of p6-b300.48xlarge have EFA is not known"],
        ),
        (
            {"placementGroup": True, "zones": ["usw2-az1", "usw2-az2"]},
            ["zones: 2 given, must be one: placementGroup works within a zone"],
        ),
        (
            {
                "placementGroup": True,
                "zones": ["usw2-az1"],
                "capacity": {"kind": "reservation", "id": "cr-0123456789abcdef0"},
            },
            ["placementGroup: given, but a reservation has a place of its own"],
        ),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], lines: list[str]) -> None:
    check_problems(problems(ManagedPoolSpec, {"kind": "managed", "size": 1, **GPUS, **settings}), lines)
