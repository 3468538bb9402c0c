"""What a team's part of a pool means in every resource that a pod can ask for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eksml.nodes.karpenter_pool import KarpenterPoolSpec
from eksml.nodes.managed_pool import ManagedPoolSpec
from eksml.nodes.pool import Accelerator
from eksml.spec import parse
from eksml.tenancy.quotas import PoolQuota, Share, capacity, quantity, shares_of, total_of
from refusals import check_problems, problems

GPUS = {"accelerator": "nvidia", "instanceTypes": ["g6.12xlarge"]}


def managed(**settings: Any) -> ManagedPoolSpec:
    return parse(ManagedPoolSpec, {"kind": "managed", "size": 2, **GPUS, **settings})


def karpenter(**settings: Any) -> KarpenterPoolSpec:
    return parse(KarpenterPoolSpec, {"kind": "karpenter", "gpuLimit": 16, **GPUS, **settings})


@pytest.mark.parametrize(
    ("pool", "most"),
    [
        (managed(), 8),
        (managed(size=0), 0),
        (managed(instanceTypes=["g6.12xlarge", "g6.48xlarge"]), 8),
        (managed(sharing={"kind": "timeSlicing", "replicas": 4}), 32),
        (managed(instanceTypes=["p5.48xlarge"], sharing={"kind": "mig", "profile": "1g.10gb"}), 112),
        (karpenter(), 16),
        (karpenter(sharing={"kind": "mps", "replicas": 2}), 32),
        (managed(accelerator="none", instanceTypes=["m7i.xlarge"]), 8),
        (karpenter(accelerator="none", instanceTypes=["m7i.xlarge"], gpuLimit=None, cpuLimit=64), 64),
    ],
)
def test_a_pool_holds_what_it_holds_for_certain(pool: ManagedPoolSpec | KarpenterPoolSpec, most: int) -> None:
    assert capacity(pool) == most


def test_a_type_with_a_fraction_of_a_gpu_is_judged_and_no_division_by_zero() -> None:
    fraction = KarpenterPoolSpec.model_construct(
        accelerator=Accelerator.NVIDIA, instance_types=("g6f.xlarge",), gpu_limit=4, sharing=None
    )
    assert capacity(fraction) == 4, "what such a type lacks is for its own rule to say"


def test_cpu_and_memory_come_in_proportion_and_never_too_few_for_a_whole_node() -> None:
    shares = shares_of(managed(), PoolQuota(gpus=4, borrow=2))
    assert shares["nvidia.com/gpu"] == Share(4, 2)
    assert 4 * 11_000 < shares["cpu"].nominal <= 48_000
    assert shares["cpu"].borrow == pytest.approx(shares["cpu"].nominal / 2, abs=1)
    assert shares["memory"].nominal > 150 * 1024


def test_without_an_amount_it_is_the_whole_pool() -> None:
    assert shares_of(karpenter(), PoolQuota())["nvidia.com/gpu"] == Share(16, 0)


def test_a_pool_without_gpus_is_shared_by_vcpus() -> None:
    shares = shares_of(managed(accelerator="none", instanceTypes=["m7i.xlarge"]), PoolQuota(vcpus=4))
    assert shares["nvidia.com/gpu"] == Share(0, 0)
    assert 3_500 < shares["cpu"].nominal <= 4_000


def test_interfaces_of_efa_come_with_the_gpus() -> None:
    pool = managed(instanceTypes=["p4d.24xlarge"], efa=True, zones=["usw2-az1"])
    assert shares_of(pool, PoolQuota(gpus=8))["vpc.amazonaws.com/efa"] == Share(4, 0)


def test_a_namespace_may_use_its_own_and_what_it_may_borrow_of_every_pool() -> None:
    shares = {"a": {"cpu": Share(1000, 500), "nvidia.com/gpu": Share(4, 2)}, "b": {"cpu": Share(1, 0)}}
    assert total_of(shares) == {"cpu": 1501, "nvidia.com/gpu": 6}
    assert total_of({}) == {}


@pytest.mark.parametrize(
    ("resource", "amount", "text"),
    [
        ("cpu", 0, "0"),
        ("cpu", 1500, "1500m"),
        ("cpu", 2000, "2"),
        ("memory", 0, "0"),
        ("memory", 1536, "1536Mi"),
        ("memory", 2048, "2Gi"),
        ("memory", 2 * 1024 * 1024, "2Ti"),
        ("nvidia.com/gpu", 8, "8"),
    ],
)
def test_amounts_are_written_in_their_shortest_form(resource: str, amount: int, text: str) -> None:
    assert quantity(resource, amount) == text


@given(gpus=st.integers(0, 1000), borrow=st.integers(0, 1000))
def test_more_gpus_never_mean_less_of_anything(gpus: int, borrow: int) -> None:
    less, more = (shares_of(karpenter(), PoolQuota(gpus=gpus + extra, borrow=borrow)) for extra in (0, 1))
    assert all(more[resource].nominal >= less[resource].nominal for resource in less)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        ({"gpus": 1, "vcpus": 1}, ["has both gpus, for a pool with GPUs, and vcpus"]),
        ({"gpus": -1}, ["gpus: -1 given, must be at least 0"]),
        ({"gpus": 1, "borrow": 10**9}, [f"borrow: {10**9} given, must be at most 1000000"]),
    ],
)
def test_what_cannot_be_is_refused(data: dict[str, Any], lines: list[str]) -> None:
    check_problems(problems(PoolQuota, data), lines)
