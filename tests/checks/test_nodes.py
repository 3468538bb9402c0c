"""What the nodes of a platform have for pods."""

import pytest

from checks.faults import NODE_CLASS, change, planted
from eksml import catalog
from eksml.checks.nodes import nodes_of
from eksml.plan.model import UNKNOWN
from programs import stack_plan


def test_pods_have_the_disk_of_their_pool_or_the_instance_store_that_joins_it() -> None:
    disks = {(node.labels["eksml.dev/pool"], node.instance_type): node for node in nodes_of(stack_plan("production"))}
    gib = {key: node.allocatable["ephemeral-storage"] / 1024 for key, node in disks.items()}
    # 50 GiB, of which a tenth stays free and the kubelet keeps one.
    assert gib["system", "m7i.xlarge"] == 44
    nvme = catalog.instance_types()["g6.12xlarge"].nvme_gb * 10**9 / 2**30
    assert gib["train", "g6.12xlarge"] == pytest.approx(nvme * 0.9 - 1, abs=1)
    volume = change(NODE_CLASS, "burst-class", "spec/blockDeviceMappings/0/ebs/volumeSize", UNKNOWN)
    whole = change(NODE_CLASS, "burst-class", "spec/instanceStorePolicy", None)
    unknown = [node for node in nodes_of(planted(volume, whole)) if node.labels["eksml.dev/pool"] == "burst"]
    assert [node.allocatable.get("ephemeral-storage") for node in unknown] == [None] * len(unknown)
