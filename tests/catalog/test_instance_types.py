"""Instance types: hardware, allocatable resources, offerings and prices."""

import json
from importlib.resources import files

import pytest

from eksml import catalog
from eksml.catalog import InstanceType

TYPES = catalog.instance_types()
SOURCES = json.loads(files("eksml.catalog").joinpath("instance_types.json").read_text(encoding="utf-8"))["sources"]


def test_every_price_and_every_hardware_figure_names_a_source_of_the_file() -> None:
    used = {price.source for fact in TYPES.values() for price in fact.on_demand_usd_per_hour.values()}
    used |= {fact.hardware_source for fact in TYPES.values()}
    assert used <= set(SOURCES)
    assert all({"what", "where", "date"} <= set(source) for source in SOURCES.values())


def test_a_price_of_unknown_source_is_not_filled_in() -> None:
    for name, fact in TYPES.items():
        for region, price in fact.on_demand_usd_per_hour.items():
            assert (price.usd is None) == (price.source == "unknown"), (name, region)
            assert price.usd is None or price.usd > 0, (name, region)


def test_a_type_is_priced_exactly_where_ec2_offers_it() -> None:
    for name, fact in TYPES.items():
        assert set(fact.on_demand_usd_per_hour) == set(fact.regions), name
        assert set(fact.regions) <= set(catalog.regions()), name


def test_zones_belong_to_the_region_that_lists_them() -> None:
    for name, fact in TYPES.items():
        for region, zones in (fact.zones or {}).items():
            assert set(zones) <= set(catalog.regions()[region].zones), name


@pytest.mark.parametrize("name", TYPES)
def test_hardware_is_whole(name: str) -> None:
    fact = TYPES[name]
    assert fact.vcpu > 0
    assert fact.memory_gib > 0
    assert fact.architecture in ("amd64", "arm64")
    assert fact.efa_interfaces >= 0
    assert not (fact.gpu and fact.neuron)
    if fact.gpu:
        assert fact.gpu.memory_gib > 0
        assert (fact.gpu.count == 0) == (fact.gpu.fraction is not None), "no whole GPU means a fraction of one"


@pytest.mark.parametrize("name", TYPES)
def test_pods_cannot_use_more_than_the_machine_has(name: str) -> None:
    fact = TYPES[name]
    if fact.allocatable is None:
        return
    millicores = int(fact.allocatable.cpu.removesuffix("m"))
    mebibytes = int(fact.allocatable.memory.removesuffix("Mi"))
    assert 0 < millicores < fact.vcpu * 1000
    assert 0 < mebibytes < fact.memory_gib * 1024
    assert fact.allocatable.pods > 0


def test_types_of_one_family_have_one_architecture_and_one_gpu_model() -> None:
    families: dict[str, list[InstanceType]] = {}
    for name, fact in TYPES.items():
        families.setdefault(name.partition(".")[0], []).append(fact)
    for family, facts in families.items():
        assert len({fact.architecture for fact in facts}) == 1, family
        assert len({fact.gpu.model if fact.gpu else None for fact in facts}) == 1, family


def test_a_well_known_type_is_right() -> None:
    fact = TYPES["g6.12xlarge"]
    assert fact.gpu is not None
    assert (fact.vcpu, fact.memory_gib, fact.architecture) == (48, 192, "amd64")
    # Sold as 24 GB, which is 22.35 GiB.
    assert (fact.gpu.model, fact.gpu.count, fact.gpu.memory_gib) == ("L4", 4, 22.35)
    assert fact.accelerator == "nvidia"
    assert fact.on_demand_usd_per_hour["us-east-1"].usd == pytest.approx(4.6016)


def test_the_types_that_teams_ask_for_first_are_there() -> None:
    assert {"g5.xlarge", "g6.xlarge", "g6e.xlarge", "p5.48xlarge", "m7i.large", "m7g.large"} <= set(TYPES)
