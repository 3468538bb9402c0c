"""What people can choose: every profile fits a node of its pool, and says honestly what it is."""

from typing import Any

import pytest

from eksml import names
from notebooks.hubs import POOLS, hub, settings, values_of


def profiles(**changes: Any) -> dict[str, Any]:
    entries = values_of(hub(settings(pools=list(POOLS), **changes)))["singleuser"]["profileList"]
    return {entry["slug"]: entry for entry in entries}


def test_each_pool_makes_one_and_the_cheapest_is_chosen() -> None:
    found = profiles()
    assert list(found) == list(POOLS)
    assert [name for name, entry in found.items() if entry.get("default")] == ["system"]


def test_their_names_are_honest() -> None:
    assert {name: entry["display_name"] for name, entry in profiles().items()} == {
        "system": "CPU",
        "whole": "NVIDIA L4 or A10G, 1 whole GPU",
        "turns": "NVIDIA L4, in turns with up to 3 others",
        "shares": "NVIDIA L4, one of 2 shares",
        "instances": "NVIDIA A100, 1 instance of 1g.5gb",
    }
    assert profiles()["turns"]["description"] == (
        "1 vCPU, 6 GiB of memory, pool turns. None of its 22 GiB of GPU memory is reserved for you: "
        "whoever takes it first has it."
    )


@pytest.mark.parametrize("name", POOLS)
def test_as_many_fit_a_node_as_share_its_gpus(name: str) -> None:
    override, pool = profiles()[name]["kubespawner_override"], POOLS[name]
    assert override["node_selector"] == {names.POOL_LABEL: name}
    for fact in pool.facts:
        count = pool.gpus_of(fact) or 1
        assert override["cpu_guarantee"] * count * 1000 <= fact.pod_millicpu, fact
        assert int(override["mem_guarantee"].removesuffix("G")) * count * 1024 <= fact.pod_memory_mib, fact
        assert override["cpu_guarantee"] <= override["cpu_limit"] <= fact.vcpu
    assert override["mem_limit"] == override["mem_guarantee"]


@pytest.mark.parametrize("name", POOLS)
def test_gpus_are_asked_for_where_there_are_some_and_nowhere_else(name: str) -> None:
    override = profiles()[name]["kubespawner_override"]
    if POOLS[name].has_gpus:
        assert override["extra_resource_limits"] == override["extra_resource_guarantees"] == {names.GPU_RESOURCE: "1"}
        assert override["tolerations"] == [names.gpu_toleration()]
        assert "cuda" in override["image"]
    else:
        assert not {"extra_resource_limits", "tolerations"} & set(override)
        assert "scipy" in override["image"]


def test_a_profile_of_ones_own_takes_the_place_of_its_pools() -> None:
    given = {
        "turns": {"pool": "turns", "title": "A bit of GPU", "image": "registry.example.com/lab/notebook:1.0.0"},
        "two-gpus": {"pool": "whole", "gpus": 2, "vcpus": 8, "memoryGib": 64},
    }
    found = profiles(profiles=given)
    assert list(found) == ["system", "whole", "turns", "shares", "instances", "two-gpus"]
    assert found["turns"]["display_name"] == "A bit of GPU"
    assert found["turns"]["kubespawner_override"]["image"] == "registry.example.com/lab/notebook:1.0.0"
    two = found["two-gpus"]["kubespawner_override"]
    assert (two["cpu_guarantee"], two["mem_limit"]) == (8, "64G")
    assert two["extra_resource_limits"] == {names.GPU_RESOURCE: "2"}
    assert found["two-gpus"]["display_name"] == "NVIDIA L4 or A10G, 2 whole GPUs"
