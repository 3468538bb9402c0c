"""Managed pools: EKS node groups of a fixed size."""

import base64
from typing import Any

import pytest

from eksml import names
from eksml.errors import SpecError
from eksml.nodes.managed_pool import ManagedPool, ManagedPoolSpec
from eksml.plan import Plan
from eksml.spec import parse
from programs import one, recorded
from refusals import check_problems, problems

SUBNETS = {"usw2-az1": "subnet-1", "usw2-az2": "subnet-2"}
RESERVATION = "cr-0123456789abcdef0"


def pool(**settings: Any) -> Plan:
    spec = parse(ManagedPoolSpec, {"kind": "managed", "instanceTypes": ["m7i.large"], "size": 2, **settings})
    return recorded(
        lambda: ManagedPool(
            "lab-pool",
            spec,
            pool="pool",
            kubernetes_version="1.36",
            cluster_name="lab",
            role_arn="arn:aws:iam::123456789012:role/node",
            subnets=SUBNETS,
            tags={"team": "vision"},
        )
    )


def gpus(**settings: Any) -> Plan:
    return pool(accelerator="nvidia", **{"instanceTypes": ["g6.xlarge"], **settings})


def group(plan: Plan) -> Any:
    return one(plan, "aws:eks/nodeGroup:NodeGroup").inputs


def template(plan: Plan) -> Any:
    return one(plan, "aws:ec2/launchTemplate:LaunchTemplate").inputs


def test_it_works_alone() -> None:
    made = group(pool())
    assert made["clusterName"] == "lab"
    assert made["instanceTypes"] == ["m7i.large"]
    assert made["subnetIds"] == ["subnet-1", "subnet-2"]
    assert made["scalingConfig"] == {"minSize": 2, "desiredSize": 2, "maxSize": 2}


def test_an_empty_pool_stays_empty_although_eks_wants_a_maximum() -> None:
    assert group(pool(size=0))["scalingConfig"] == {"minSize": 0, "desiredSize": 0, "maxSize": 1}


def test_gpu_nodes_carry_the_label_and_the_taint_by_which_workloads_choose_them() -> None:
    made = group(gpus(labels={"team.example/owner": "vision"}))
    assert made["labels"] == {
        names.POOL_LABEL: "pool",
        names.AMI_FAMILY_LABEL: "al2023",
        names.GPU_LABEL: names.GPU_LABEL_VALUE,
        "team.example/owner": "vision",
    }
    assert made["taints"] == [{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}]
    assert group(pool())["taints"] == []


def test_a_pool_can_be_dedicated_to_a_framework_that_the_catalog_knows() -> None:
    assert group(gpus(framework="pytorch"))["labels"][names.FRAMEWORK_LABEL] == "pytorch"
    with pytest.raises(SpecError, match="framework: 'pytorhc' given, did you mean 'pytorch'"):
        gpus(framework="pytorhc")


@pytest.mark.parametrize(
    ("settings", "ami_type"),
    [
        ({"instanceTypes": ["m7i.large"]}, "AL2023_x86_64_STANDARD"),
        ({"instanceTypes": ["m7g.large"]}, "AL2023_ARM_64_STANDARD"),
        ({"instanceTypes": ["g6.xlarge"], "accelerator": "nvidia"}, "AL2023_x86_64_NVIDIA"),
        ({"instanceTypes": ["g5g.xlarge"], "accelerator": "nvidia"}, "AL2023_ARM_64_NVIDIA"),
        (
            {"instanceTypes": ["g6.xlarge"], "accelerator": "nvidia", "amiFamily": "bottlerocket"},
            "BOTTLEROCKET_x86_64_NVIDIA",
        ),
    ],
)
def test_the_image_is_of_the_right_kind_and_stays_under_the_management_of_eks(
    settings: dict[str, Any], ami_type: str
) -> None:
    plan = pool(**settings)
    assert group(plan)["amiType"] == ami_type
    assert "imageId" not in template(plan)


def test_the_image_release_is_pinned() -> None:
    assert group(pool())["releaseVersion"].startswith("1.36.")


def test_disks_are_encrypted_and_large_enough_for_cuda_images() -> None:
    def disks(plan: Plan) -> dict[str, int]:
        devices = template(plan)["blockDeviceMappings"]
        assert all(device["ebs"]["encrypted"] == "true" for device in devices)
        assert all(device["ebs"]["volumeType"] == "gp3" for device in devices)
        return {device["deviceName"]: device["ebs"]["volumeSize"] for device in devices}

    assert disks(pool()) == {"/dev/xvda": 50}
    assert disks(gpus()) == {"/dev/xvda": 200}
    assert disks(gpus(volumeGib=500, amiFamily="bottlerocket")) == {"/dev/xvda": 4, "/dev/xvdb": 500}


def test_pods_cannot_reach_the_metadata_of_their_node() -> None:
    options = template(pool())["metadataOptions"]
    assert options["httpTokens"] == "required"
    assert options["httpPutResponseHopLimit"] == 1


def test_local_disks_become_one_for_pods_where_every_type_has_them() -> None:
    def user_data(plan: Plan) -> str:
        return base64.b64decode(template(plan).get("userData", "")).decode()

    assert "strategy: RAID0" in user_data(gpus())
    assert user_data(pool()) == ""
    assert user_data(gpus(amiFamily="bottlerocket")) == "", "Bottlerocket reads other user data"


def test_instances_and_disks_carry_the_tags_of_the_pool() -> None:
    tags = {kind["resourceType"]: kind["tags"] for kind in template(pool())["tagSpecifications"]}
    assert tags["instance"] == tags["volume"] == {"team": "vision", "Name": "lab-pool"}


def test_broken_nodes_are_replaced_unless_that_is_turned_off() -> None:
    assert group(pool())["nodeRepairConfig"] == {"enabled": True}
    assert group(pool(nodeRepair=False))["nodeRepairConfig"] == {"enabled": False}


def test_a_pool_can_be_bound_to_zones() -> None:
    assert group(pool(zones=["usw2-az2"]))["subnetIds"] == ["subnet-2"]


@pytest.mark.parametrize(
    ("capacity", "capacity_type"), [({"kind": "onDemand"}, "ON_DEMAND"), ({"kind": "spot"}, "SPOT")]
)
def test_capacity_is_on_demand_or_spot(capacity: dict[str, str], capacity_type: str) -> None:
    plan = pool(capacity=capacity, instanceTypes=["m7i.large", "m7i.xlarge"])
    assert group(plan)["capacityType"] == capacity_type
    assert group(plan)["instanceTypes"] == ["m7i.large", "m7i.xlarge"]
    assert "capacityReservationSpecification" not in template(plan)


def test_capacity_can_be_a_reservation() -> None:
    plan = gpus(capacity={"kind": "reservation", "id": RESERVATION}, zones=["usw2-az1"])
    assert group(plan)["capacityType"] == "ON_DEMAND"
    target = template(plan)["capacityReservationSpecification"]["capacityReservationTarget"]
    assert target == {"capacityReservationId": RESERVATION}


def test_capacity_can_be_a_capacity_block_whose_type_stands_in_the_template() -> None:
    plan = gpus(
        capacity={"kind": "capacityBlock", "id": RESERVATION}, zones=["usw2-az1"], instanceTypes=["p5.48xlarge"]
    )
    assert group(plan)["capacityType"] == "CAPACITY_BLOCK"
    assert "instanceTypes" not in group(plan)
    assert template(plan)["instanceType"] == "p5.48xlarge"
    assert template(plan)["instanceMarketOptions"] == {"marketType": "capacity-block"}


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        ({"size": -1}, ["size: -1 given, must be at least 0"]),
        ({"size": 10**30}, [f"size: {10**30} given, must be at most 450"]),
        ({"size": 1.0}, ["size: 1.0 given, must be a whole number"]),
        ({"instanceTypes": []}, ["instanceTypes: empty, needs at least 1"]),
        (
            {"instanceTypes": ["g6.xlarge"]},
            ["instanceTypes[0]: g6.xlarge has GPUs (L4), set accelerator: nvidia"],
        ),
        (
            {"accelerator": "nvidia"},
            ["instanceTypes[0]: m7i.large has no GPU; take a type that has, or set accelerator: none"],
        ),
        (
            {"instanceTypes": ["m7i.lrge", "m7i.large", "m7i.large", "m7g.large"]},
            [
                "instanceTypes[0]: 'm7i.lrge' is not in the catalog, did you mean 'm7i.large'?",
                "instanceTypes[2]: 'm7i.large' is listed twice",
                "instanceTypes[3]: m7g.large is arm64 and m7i.large is amd64: make a pool of each",
            ],
        ),
        (
            {"accelerator": "nvidia", "instanceTypes": ["g6f.xlarge"]},
            ["instanceTypes[0]: g6f.xlarge has a fraction of one L4, which Kubernetes cannot hand out"],
        ),
        (
            {"instanceTypes": ["inf2.xlarge"]},
            ["instanceTypes[0]: inf2.xlarge has Inferentia2 devices, which no component here can use"],
        ),
        (
            {"accelerator": "nvidia", "instanceTypes": ["g6.xlarge"], "volumeGib": 100},
            ["volumeGib: 100 given, must be at least 200 on GPU nodes: images with CUDA are 10 GB and more"],
        ),
        (
            {"labels": {"nvidia.com/gpu.present": "false", "karpenter.sh/x": "y", "-x": "y", "a": "b c"}},
            [
                "labels.a: 'b c' given, must be a Kubernetes label value of at most 63 characters",
                "labels[\"-x\"]: '-x' given, must be a Kubernetes label key",
                'labels["karpenter.sh/x"]: labels of karpenter.sh are set by others, use a domain of your own',
                'labels["nvidia.com/gpu.present"]: labels of nvidia.com are set by others, use a domain of your own',
            ],
        ),
        (
            {
                "accelerator": "nvidia",
                "instanceTypes": ["g6.xlarge", "g6.2xlarge"],
                "capacity": {"kind": "reservation", "id": RESERVATION},
            },
            [
                "instanceTypes: 2 given, must be the one type of the reservation",
                "zones: 0 given, must be the one zone of the reservation",
            ],
        ),
        (
            {"capacity": {"kind": "capacityBlock", "id": "block"}},
            ["capacity.id: 'block' given, must be the id of a capacity reservation, cr-…"],
        ),
        (
            {"capacity": {"kind": "capacityBlock", "id": RESERVATION}, "zones": ["usw2-az1"]},
            ["instanceTypes[0]: m7i.large cannot be bought as a Capacity Block"],
        ),
        (
            {"instanceTypes": ["bogus", "trn2u.48xlarge"], "capacity": {"kind": "spot"}},
            [
                "instanceTypes[0]: 'bogus' is not in the catalog",
                "instanceTypes[1]: trn2u.48xlarge has Trainium2 devices, which no component here can use",
                "instanceTypes[1]: trn2u.48xlarge is not sold as spot",
            ],
        ),
        (
            {"capacity": {"kind": "free"}},
            ["capacity: kind 'free' does not exist, must be onDemand, spot, reservation or capacityBlock"],
        ),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], lines: list[str]) -> None:
    data = {"kind": "managed", "instanceTypes": ["m7i.large"], "size": 2, **settings}
    check_problems(problems(ManagedPoolSpec, data), lines)
