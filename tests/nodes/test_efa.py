"""EFA, the network for training over several nodes."""

from typing import Any

from eksml import names
from eksml.nodes.karpenter_pool import KarpenterPool, KarpenterPoolSpec
from eksml.nodes.managed_pool import ManagedPool, ManagedPoolSpec
from eksml.plan import Plan
from eksml.spec import parse
from programs import one, recorded

SUBNETS = {"usw2-az1": "subnet-0123456789abcdef0", "usw2-az2": "subnet-0123456789abcdef1"}
EFA = {"accelerator": "nvidia", "instanceTypes": ["p4d.24xlarge"], "zones": ["usw2-az1"], "efa": True}
CARDS = [(0, 0, "interface"), (0, 1, "efa-only"), (1, 0, "efa-only"), (2, 0, "efa-only"), (3, 0, "efa-only")]


def managed(**settings: Any) -> Plan:
    spec = parse(ManagedPoolSpec, {"kind": "managed", "size": 2, **EFA, **settings})
    return recorded(
        lambda: ManagedPool(
            "lab-train",
            spec,
            pool="train",
            kubernetes_version="1.36",
            cluster_name="lab",
            role_arn="arn:aws:iam::123456789012:role/node",
            subnets=SUBNETS,
            security_group_id="sg-0123456789abcdef0",
        )
    )


def karpenter(**settings: Any) -> Plan:
    spec = parse(KarpenterPoolSpec, {"kind": "karpenter", "gpuLimit": 16, **EFA, **settings})
    return recorded(
        lambda: KarpenterPool(
            "lab-train", spec, pool="train", cluster_name="lab", instance_profile="lab-node", subnets=SUBNETS
        )
    )


def template(plan: Plan) -> Any:
    return one(plan, "aws:ec2/launchTemplate:LaunchTemplate").inputs


def node_class(plan: Plan) -> Any:
    return one(plan, "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass").inputs["spec"]


def cards(interfaces: list[dict[str, Any]]) -> list[tuple[int, int, str]]:
    return [(each["networkCardIndex"], each["deviceIndex"], each["interfaceType"]) for each in interfaces]


def test_every_network_card_gets_an_interface_without_an_address_beside_the_primary_one() -> None:
    interfaces = template(managed())["networkInterfaces"]
    assert cards(interfaces) == CARDS
    assert {tuple(each["securityGroups"]) for each in interfaces} == {("sg-0123456789abcdef0",)}
    assert cards(node_class(karpenter())["networkInterfaces"]) == CARDS


def test_its_nodes_are_in_one_zone_and_labelled_for_the_device_plugin() -> None:
    group = one(managed(), "aws:eks/nodeGroup:NodeGroup").inputs
    assert group["subnetIds"] == ["subnet-0123456789abcdef0"]
    assert group["labels"][names.EFA_LABEL] == names.EFA_LABEL_VALUE


def test_without_efa_a_template_leaves_the_interfaces_to_eks() -> None:
    assert "networkInterfaces" not in template(managed(efa=False))
    assert "networkInterfaces" not in node_class(karpenter(efa=False))


def test_a_placement_group_is_made_only_when_it_is_asked_for() -> None:
    assert managed().of_type("aws:ec2/placementGroup:PlacementGroup") == []
    assert "placement" not in template(managed())
    for plan in (managed(placementGroup=True), karpenter(placementGroup=True)):
        assert one(plan, "aws:ec2/placementGroup:PlacementGroup").inputs["strategy"] == "cluster"
    assert template(managed(placementGroup=True))["placement"]["groupName"].startswith("lab-train-")
    assert node_class(karpenter(placementGroup=True))["placementGroupSelector"]["name"].startswith("lab-train-")
