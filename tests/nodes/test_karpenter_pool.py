"""Elastic pools."""

from pathlib import Path
from typing import Any

import pytest

from crds import check_admitted
from eksml import names
from eksml.nodes.karpenter_pool import KarpenterPool, KarpenterPoolSpec
from eksml.plan import Plan
from eksml.spec import parse
from programs import one, recorded
from refusals import check_problems, problems

SUBNETS = {"usw2-az1": "subnet-0123456789abcdef0", "usw2-az2": "subnet-0123456789abcdef1"}
RESERVATION = "cr-0123456789abcdef0"
GPUS = {"kind": "karpenter", "accelerator": "nvidia", "instanceTypes": ["g6.xlarge"], "gpuLimit": 8}
CPUS = {"kind": "karpenter", "instanceTypes": ["m7g.large"], "cpuLimit": 64}


def pool(settings: dict[str, Any]) -> Plan:
    spec = parse(KarpenterPoolSpec, settings)
    return recorded(
        lambda: KarpenterPool(
            "lab-burst",
            spec,
            pool="burst",
            cluster_name="lab",
            instance_profile="lab-node",
            subnets=SUBNETS,
            tags={"team": "vision"},
        )
    )


def node_pool(settings: dict[str, Any]) -> Any:
    return one(pool(settings), "kubernetes:karpenter.sh/v1:NodePool").inputs


def node_class(settings: dict[str, Any]) -> Any:
    return one(pool(settings), "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass").inputs


def requirements(settings: dict[str, Any]) -> dict[str, list[str]]:
    found = node_pool(settings)["spec"]["template"]["spec"]["requirements"]
    return {requirement["key"]: requirement["values"] for requirement in found}


def test_pods_on_spot_nodes_are_told_in_time_where_nothing_else_moves_them() -> None:
    def most_time(settings: dict[str, Any]) -> str | None:
        return node_pool(settings)["spec"]["template"]["spec"].get("terminationGracePeriod")

    assert most_time({**GPUS, "capacityTypes": ["spot"]}) == "2m"
    assert most_time({**GPUS, "capacityTypes": ["spot", "onDemand"]}) == "2m"
    assert most_time({**GPUS, "capacityTypes": ["onDemand"]}) is None
    # Nodes would drift under pods that must not be disrupted.
    assert most_time({**GPUS, "capacityTypes": ["spot"], "consolidation": "whenEmptyOrUnderutilized"}) is None


def test_it_works_alone() -> None:
    plan = pool(GPUS)
    nodes = one(plan, "kubernetes:karpenter.sh/v1:NodePool")
    ec2 = one(plan, "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass")
    assert nodes.inputs["metadata"]["name"] == ec2.inputs["metadata"]["name"] == "burst"
    assert nodes.inputs["spec"]["template"]["spec"]["nodeClassRef"]["name"] == "burst"
    assert ec2.inputs["spec"]["instanceProfile"] == "lab-node"
    assert ec2.urn in nodes.dependencies


@pytest.mark.parametrize(
    "settings",
    [
        GPUS,
        CPUS,
        {**GPUS, "amiFamily": "bottlerocket", "volumeGib": 500, "zones": ["usw2-az1"]},
        {**GPUS, "reservationIds": [RESERVATION], "capacityTypes": ["spot", "onDemand"], "labels": {"a.b/c": "d"}},
        {**GPUS, "consolidation": "whenEmptyOrUnderutilized", "consolidateAfterMinutes": 1, "expireAfterHours": 24},
    ],
)
def test_karpenter_takes_its_objects(settings: dict[str, Any], shared: Path) -> None:
    check_admitted(node_pool(settings), shared)
    check_admitted(node_class(settings), shared)


def test_it_always_has_a_limit() -> None:
    assert node_pool(GPUS)["spec"]["limits"] == {"nvidia.com/gpu": 8}
    assert node_pool(CPUS)["spec"]["limits"] == {"cpu": 64}


def test_nodes_carry_the_labels_and_the_taint_by_which_workloads_choose_them() -> None:
    template = node_pool(GPUS)["spec"]["template"]
    assert template["metadata"]["labels"] == {
        names.POOL_LABEL: "burst",
        names.AMI_FAMILY_LABEL: "al2023",
        names.GPU_LABEL: names.GPU_LABEL_VALUE,
    }
    assert template["spec"]["taints"] == [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}]
    assert "taints" not in node_pool(CPUS)["spec"]["template"]["spec"]


def test_nodes_are_of_the_types_the_architecture_and_the_capacity_that_were_asked_for() -> None:
    settings = {**GPUS, "capacityTypes": ["spot", "onDemand"], "reservationIds": [RESERVATION]}
    assert requirements(settings) == {
        "node.kubernetes.io/instance-type": ["g6.xlarge"],
        "kubernetes.io/arch": ["amd64"],
        "kubernetes.io/os": ["linux"],
        "karpenter.sh/capacity-type": ["reserved", "spot", "on-demand"],
    }
    assert node_class(settings)["spec"]["capacityReservationSelectorTerms"] == [{"id": RESERVATION}]
    assert requirements(GPUS)["karpenter.sh/capacity-type"] == ["on-demand"]


def test_training_is_not_evicted_to_save_money_or_for_a_changed_tag_unless_asked_for() -> None:
    assert node_pool(GPUS)["spec"]["disruption"] == {
        "consolidationPolicy": "WhenEmpty",
        "consolidateAfter": "10m",
        "budgets": [{"nodes": "10%"}, {"nodes": "0", "reasons": ["Drifted"]}],
    }


def test_nodes_are_private_encrypted_and_of_a_pinned_image() -> None:
    ec2 = node_class(GPUS)["spec"]
    assert ec2["associatePublicIPAddress"] is False
    assert ec2["metadataOptions"]["httpTokens"] == "required"
    assert ec2["metadataOptions"]["httpPutResponseHopLimit"] == 1
    assert [device["ebs"]["encrypted"] for device in ec2["blockDeviceMappings"]] == [True]
    (image,) = ec2["amiSelectorTerms"]
    assert image["alias"].startswith("al2023@v2")


def test_nodes_join_the_subnets_of_their_zones_and_the_security_group_of_the_cluster() -> None:
    ec2 = node_class({**GPUS, "zones": ["usw2-az2"]})["spec"]
    assert ec2["subnetSelectorTerms"] == [{"id": SUBNETS["usw2-az2"]}]
    assert ec2["securityGroupSelectorTerms"] == [{"tags": {"aws:eks:cluster-name": "lab"}}]


def test_local_disks_become_one_for_pods_where_every_type_has_them() -> None:
    assert node_class(GPUS)["spec"]["instanceStorePolicy"] == "RAID0"
    assert "instanceStorePolicy" not in node_class(CPUS)["spec"]


def test_destroy_waits_until_its_nodes_are_gone() -> None:
    nodes = one(pool(GPUS), "kubernetes:karpenter.sh/v1:NodePool")
    assert nodes.inputs["metadata"]["annotations"]["pulumi.com/deletionPropagationPolicy"] == "foreground"
    assert nodes.options["customTimeouts"] == {"delete": 1800}


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        (
            {**GPUS, "gpuLimit": 0},
            ["gpuLimit: 0 given, must be at least 1"],
        ),
        (
            {key: value for key, value in GPUS.items() if key != "gpuLimit"},
            ["gpuLimit: missing: a Karpenter pool of GPUs always has a limit"],
        ),
        (
            {**GPUS, "instanceTypes": ["g6.12xlarge"], "gpuLimit": 2, "cpuLimit": 8},
            [
                "cpuLimit: 8 given, but the pool has GPUs: use gpuLimit",
                "gpuLimit: 2 given, must be at least 4: its smallest type has as many",
            ],
        ),
        (
            {**CPUS, "cpuLimit": 1, "gpuLimit": 1},
            [
                "cpuLimit: 1 given, must be at least 2: its smallest type has as many",
                "gpuLimit: 1 given, but the pool has no GPUs: use cpuLimit",
            ],
        ),
        (
            {**GPUS, "capacityTypes": []},
            ["capacityTypes: empty, needs spot or onDemand, or reservationIds"],
        ),
        (
            {**GPUS, "capacityTypes": ["spot", "spot", "free"]},
            ["capacityTypes[1]: 'spot' is listed twice", "capacityTypes[2]: 'free' given, must be spot or onDemand"],
        ),
        (
            {**GPUS, "zones": ["usw2-az1", "usw2-az1", "here"]},
            [
                "zones[1]: 'usw2-az1' is listed twice",
                "zones[2]: 'here' given, must be a zone id like usw2-az1 or a name like us-west-2a",
            ],
        ),
        (
            {**GPUS, "instanceTypes": ["p5.48xlarge"], "size": 3},
            ["size: unknown key, known here: accelerator, instanceTypes"],
        ),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], lines: list[str]) -> None:
    check_problems(problems(KarpenterPoolSpec, settings), lines)
