"""The three profiles, and settings laid over them."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksml.errors import Problem, SpecError
from eksml.nodes.karpenter_pool import CapacityType, KarpenterPoolSpec
from eksml.nodes.managed_pool import ManagedPoolSpec
from eksml.platform_settings import PlatformSpec
from eksml.profiles import PROFILES, overlaid, platform_spec, profile_settings


def spec(profile: str, **settings: Any) -> PlatformSpec:
    return platform_spec({"profile": profile, **settings}, region="us-west-2", name="lab")


def problems_with(settings: dict[str, Any], *, region: str = "us-west-2") -> list[Problem]:
    try:
        platform_spec(settings, region=region, name="lab")
    except SpecError as error:
        return error.problems
    return []


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_is_a_platform_as_it_is(profile: str) -> None:
    assert spec(profile).profile == profile


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "ap-northeast-1", "us-west-1", "me-south-1"])
@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_takes_the_zones_of_its_region(profile: str, region: str) -> None:
    problems = problems_with({"profile": profile}, region=region)
    assert [problem for problem in problems if "EC2 does not offer" not in problem.text] == []


def test_research_has_notebooks_and_spot_training() -> None:
    pools = spec("research").pools
    assert isinstance(pools["notebooks"], ManagedPoolSpec)
    assert isinstance(pools["train"], KarpenterPoolSpec)
    assert pools["train"].capacity_types == (CapacityType.SPOT,)


def test_production_survives_the_loss_of_a_zone_and_a_slip_of_the_hand() -> None:
    settings = spec("production").settings()
    assert settings["network"]["natGateways"] == "perZone"
    assert settings["cluster"]["deletionProtection"] is True
    assert settings["pools"]["system"]["size"] >= len(settings["network"]["zones"])
    serve = spec("production").pools["serve"]
    assert isinstance(serve, KarpenterPoolSpec)
    assert serve.capacity_types == (CapacityType.ON_DEMAND,)
    assert serve.zones == (), "all of them"
    assert len(settings["network"]["zones"]) >= 2


def test_startup_pays_for_gpus_only_while_they_work_and_for_spot_first() -> None:
    platform = spec("startup")
    assert [name for name, pool in platform.managed_pools.items() if pool.has_gpus] == []
    assert platform.karpenter_pools["gpu"].capacity_types == (CapacityType.SPOT, CapacityType.ON_DEMAND)


def test_mappings_merge_lists_replace_and_null_takes_away() -> None:
    base = {"a": {"x": 1, "y": [1, 2]}, "b": 1, "c": {"z": 1}}
    top = {"a": {"y": [3]}, "b": None, "c": {"z": None}, "d": {"new": None}}
    assert overlaid(base, top) == {"a": {"x": 1, "y": [3]}, "c": {}, "d": {}}


def test_a_mapping_whose_kind_changes_is_replaced_whole() -> None:
    base = {"cluster": {"kind": "new", "logRetentionDays": 7}}
    assert overlaid(base, {"cluster": {"kind": "existing", "name": "theirs"}}) == {
        "cluster": {"kind": "existing", "name": "theirs"}
    }
    assert overlaid(base, {"cluster": {"kind": "new", "logTypes": []}}) == {
        "cluster": {"kind": "new", "logRetentionDays": 7, "logTypes": []}
    }


MAPPINGS = st.recursive(
    st.dictionaries(st.sampled_from("abk"), st.integers() | st.none() | st.lists(st.integers())),
    lambda below: st.dictionaries(st.sampled_from("abk"), below | st.integers() | st.none()),
)


@given(MAPPINGS, MAPPINGS)
def test_laying_over_changes_neither_mapping_and_leaves_no_null(base: dict[str, Any], top: dict[str, Any]) -> None:
    before = copy.deepcopy((base, top))
    merged = overlaid({}, overlaid(base, top))
    assert (base, top) == before

    def holds_null(value: Any) -> bool:
        return value is None or (isinstance(value, dict) and any(map(holds_null, value.values())))

    assert not holds_null(merged)


def test_one_stack_leaves_no_trace_in_the_profile_for_the_next() -> None:
    before = copy.deepcopy(profile_settings("research"))
    platform_spec({"profile": "research"}, region="us-east-1", name="lab")
    assert profile_settings("research") == before


def test_a_stack_may_take_a_pool_away_and_add_one() -> None:
    burst = {"kind": "karpenter", "instanceTypes": ["c7i.large"], "cpuLimit": 32}
    platform = spec("research", pools={"train": None, "burst": burst})
    assert set(platform.pools) == {"system", "notebooks", "serve", "burst"}


# Any settings: a Spec, or an error that names a path


KNOWN_KEYS = [
    "accelerator", "accelerators", "administrators", "amiFamily", "capacity", "cidr", "cluster", "cpuLimit", "gpuLimit",
    "instanceTypes", "kind", "kubernetesVersion", "labels", "name", "natGateways", "network", "pools", "privateSubnets",
    "profile", "publicAccessCidrs", "serviceCidr", "size", "system", "tags", "train", "volumeGib", "waivers", "zones",
]  # fmt: skip
KNOWN_VALUES = [
    "new", "existing", "kubeconfig", "managed", "karpenter", "nvidia", "spot", "reservation", "bottlerocket", "1.36",
    "10.0.0.0/16", "0.0.0.0/0", "g6.xlarge", "m7g.large", "usw2-az1", "us-west-2a", "none", "devicePlugin", "research",
]  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(KNOWN_VALUES)
)
SETTINGS = st.recursive(
    SCALARS,
    lambda below: st.one_of(
        st.lists(below, max_size=3),
        st.dictionaries(st.sampled_from(KNOWN_KEYS) | st.text(max_size=4), below, max_size=4),
    ),
    max_leaves=12,
)


def check_spec_or_problems(settings: dict[str, Any]) -> None:
    assert all(problem.path and problem.text for problem in problems_with(settings))


@given(st.dictionaries(st.sampled_from(KNOWN_KEYS) | st.text(max_size=4), SETTINGS, max_size=4))
def test_any_settings_are_a_spec_or_an_error_that_names_a_path(settings: dict[str, Any]) -> None:
    check_spec_or_problems(settings)


def paths_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in items for found in paths_in(item, (*path, key)))]


@given(st.data(), st.sampled_from(PROFILES))
def test_one_changed_value_anywhere_in_a_profile_is_a_spec_or_an_error_that_names_a_path(
    data: st.DataObject, profile: str
) -> None:
    settings = copy.deepcopy(profile_settings(profile))
    *way, last = data.draw(st.sampled_from(paths_in(settings)[1:]))
    holder: Any = settings
    for step in way:
        holder = holder[step]
    holder[last] = data.draw(SETTINGS)
    check_spec_or_problems(settings)
