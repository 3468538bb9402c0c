"""What is true of every bill: sums, what more of something costs, and what has no price."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eksml import catalog
from eksml.costs import Assumptions, Bill, Item, Range, estimate
from eksml.errors import InputError
from eksml.plan import Plan, Resource
from eksml.plan.as_json import as_json
from eksml.plan.plan_file import read_plan_file
from eksml.plan.preview_json import read_preview_json
from eksml.plan.project import find_stack
from eksml.plan.recorder import record
from eksml.profiles import PROFILES
from programs import blueprint_plan, stack_plan

NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
NODE_POOL = "kubernetes:karpenter.sh/v1:NodePool"
SCALED_OBJECT = "kubernetes:keda.sh/v1alpha1:ScaledObject"
QUOTAS = "kubernetes:kueue.x-k8s.io/v1beta2:ClusterQueue"


def changed(stack: str, resource_type: str, ending: str, change: Callable[[Any], None]) -> Plan:
    """A stack with the inputs of one of its resources changed."""

    def copy(resource: Resource) -> Resource:
        if resource.type != resource_type or not resource.name.endswith(ending):
            return resource
        inputs = deepcopy(dict(resource.inputs))
        change(inputs)
        return replace(resource, inputs=inputs)

    return Plan.of(stack, map(copy, stack_plan(stack).resources))


def with_size(size: int) -> Plan:
    return changed(
        "production",
        NODE_GROUP,
        "-train",
        lambda inputs: inputs["scalingConfig"].update(desiredSize=size, maxSize=size),
    )


def with_requirements(stack: str, pool: str, key: str, values: list[str]) -> Plan:
    def change(inputs: Any) -> None:
        requirements = inputs["spec"]["template"]["spec"]["requirements"]
        next(each for each in requirements if each["key"] == key)["values"] = values

    return changed(stack, NODE_POOL, pool, change)


def pool_of(bill: Bill, pool: str) -> Range:
    return bill.by_pool()[pool]


@pytest.mark.parametrize("stack", PROFILES)
def test_the_items_are_the_total_however_they_are_grouped(stack: str) -> None:
    bill = estimate(stack_plan(stack))
    for groups in (bill.by_resource(), bill.by_purpose(), bill.by_team()):
        together = Range.sum_of(groups.values())
        assert together.expected == pytest.approx(bill.monthly.expected)
        assert together.at_least == pytest.approx(bill.monthly.at_least)
        assert together.most == pytest.approx(bill.monthly.most)
    assert bill.hourly.expected * 730 == pytest.approx(bill.monthly.expected)


@pytest.mark.parametrize("stack", PROFILES)
def test_at_least_is_no_more_than_expected_and_that_no_more_than_at_most(stack: str) -> None:
    for item in estimate(stack_plan(stack)).items:
        assert item.monthly.most is not None
        assert item.monthly.at_least <= item.monthly.expected <= item.monthly.most, item.what


@pytest.mark.parametrize("stack", PROFILES)
def test_every_item_names_the_source_of_its_price_and_every_share_is_somebodys(stack: str) -> None:
    for item in estimate(stack_plan(stack)).items:
        assert item.source, item
        assert sum(item.shares.values()) == pytest.approx(1), item


@pytest.mark.parametrize("stack", PROFILES)
def test_a_plan_that_was_written_to_a_file_costs_the_same(stack: str, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(json.dumps(as_json(stack_plan(stack), [])), encoding="utf-8")
    read, _ = read_plan_file(tmp_path / "plan.json")
    assert estimate(read) == estimate(stack_plan(stack))


def test_a_plan_of_the_engine_costs_the_same_as_the_recorded_one(shared: Path) -> None:
    sample = shared / "engine-sample"
    recorded, read = record(find_stack(str(sample))), read_preview_json(sample / "preview.json")
    assert estimate(read) == replace(estimate(recorded), stack=read.stack)
    # A g6e.xlarge with 200 GiB of disk, and the control plane, which the program does not register itself.
    assert estimate(read).monthly.at_least == pytest.approx(730 * (1.861 + 0.10) + 200 * 0.08)


@settings(max_examples=20)
@given(st.integers(min_value=0, max_value=40), st.integers(min_value=1, max_value=40))
def test_more_nodes_cost_more(size: int, more: int) -> None:
    fewer, larger = estimate(with_size(size)).monthly, estimate(with_size(size + more)).monthly
    a_node = 730 * 4.6016 + 200 * 0.08
    assert larger.expected - fewer.expected == pytest.approx(more * a_node)
    assert larger.at_least - fewer.at_least == pytest.approx(more * a_node)


def test_a_pool_without_a_limit_has_no_most() -> None:
    bill = estimate(changed("production", NODE_POOL, "-serve", lambda inputs: inputs["spec"].pop("limits")))
    assert pool_of(bill, "serve").most is None
    assert bill.monthly.most is None
    assert bill.monthly.expected == estimate(stack_plan("production")).monthly.expected


def test_a_limit_below_one_node_costs_nothing() -> None:
    bill = estimate(
        changed("research", NODE_POOL, "-train", lambda inputs: inputs["spec"].update(limits={"nvidia.com/gpu": 3}))
    )
    assert pool_of(bill, "train") == Range.exactly(0)


def test_spot_is_a_range_and_on_demand_is_not() -> None:
    key = "karpenter.sh/capacity-type"
    spot = estimate(with_requirements("startup", "-gpu", key, ["spot"]))
    both = estimate(with_requirements("startup", "-gpu", key, ["spot", "on-demand"]))
    on_demand = estimate(with_requirements("startup", "-gpu", key, ["on-demand"]))
    prices = [
        next(item.unit_price for item in bill.items if item.pool == "gpu" and item.unit == "hour")
        for bill in (spot, both, on_demand)
    ]
    assert prices[0].expected == prices[1].expected < prices[2].expected == 0.8048
    assert prices[0].most < prices[1].most == prices[2].most == 1.861  # ty: ignore[unsupported-operator]


def test_an_autoscaled_server_counts_with_its_fewest_replicas() -> None:
    def more(inputs: Any) -> None:
        inputs["spec"]["minReplicaCount"] = 5

    usual = pool_of(estimate(stack_plan("production")), "serve").expected
    more_of_one = pool_of(estimate(changed("production", SCALED_OBJECT, "vision", more)), "serve").expected
    assert more_of_one == pytest.approx(usual * (2 + 5) / 4)


def test_a_server_that_may_sleep_is_awake_for_as_long_as_assumed() -> None:
    def gpu_hours(awake: float) -> float:
        bill = estimate(stack_plan("startup"), Assumptions(awake_hours_per_day=awake, job_hours_per_day=0))
        return next(item.quantity.expected for item in bill.items if item.pool == "gpu" and item.unit == "hour")

    assert gpu_hours(0) == 0
    assert gpu_hours(6) == pytest.approx(730 / 4)
    # There are no nodes but from 8 to 20 o'clock of working days.
    assert gpu_hours(24) == pytest.approx(730 * 5 * 12 / (7 * 24))


def test_a_job_runs_for_as_long_as_assumed_on_the_nodes_that_it_asks_for() -> None:
    plan = blueprint_plan("native-pytorch")

    def nodes(hours: float) -> Item:
        bill = estimate(plan, Assumptions(job_hours_per_day=hours, awake_hours_per_day=0))
        return next(item for item in bill.items if item.pool == "gpu" and item.unit == "hour")

    assert nodes(8).quantity.expected == pytest.approx(4 * nodes(2).quantity.expected)
    assert "for 8 h a day" in nodes(8).what
    assert nodes(8).purpose == "training"
    # It is one of the jobs that the pool is full of.
    assert plan.platform
    alone = estimate(plan.platform, Assumptions(job_hours_per_day=8, awake_hours_per_day=0))
    assert alone.by_pool()["gpu"].expected == pytest.approx(nodes(8).monthly.expected, rel=0.1)


def with_working_hours(stack: str, group: str | None = None) -> Plan:
    """A stack with a schedule of ten hours on five days, for Karpenter's nodes and for a managed group."""
    plan = stack_plan(stack)
    spec = {"days": ["monday", "tuesday", "wednesday", "thursday", "friday"], "start": "08:00", "end": "18:00"}
    schedule = Resource("urn:schedule", "eksml:nodes:Schedule", "hours", None, False, inputs={"spec": spec})
    own = [each.urn for each in plan.of_type(NODE_GROUP) if group and each.name.endswith(group)]
    sizes = Resource(
        "urn:size", "aws:scheduler/schedule:Schedule", "size", schedule.urn, True, dependencies=(*own,), inputs={}
    )
    return Plan.of(stack, [*plan.resources, schedule, sizes])


def test_outside_of_working_hours_there_are_no_nodes_that_come_and_go() -> None:
    usual, daily = (
        pool_of(estimate(plan), "serve") for plan in (stack_plan("research"), with_working_hours("research"))
    )
    assert daily.expected == pytest.approx(usual.expected * 50 / 168)
    assert daily.most == pytest.approx((usual.most or 0) * 50 / 168, rel=0.02)
    system = [pool_of(estimate(plan), "system") for plan in (stack_plan("research"), with_working_hours("research"))]
    assert system[0] == system[1]


@pytest.mark.parametrize(("group", "hours"), [("notebooks", 50), ("system", 55)])
def test_a_managed_pool_that_a_schedule_sizes_is_paid_for_in_its_hours(group: str, hours: int) -> None:
    # Those without GPUs go an hour after the others.
    bill = estimate(with_working_hours("research", group))
    item = next(item for item in bill.items if item.pool == group and item.unit == "hour")
    usual = next(each for each in estimate(stack_plan("research")).items if each.pool == group and each.unit == "hour")
    assert item.monthly.at_least == item.monthly.expected == pytest.approx(usual.monthly.expected * hours / 168)
    assert " h a day, on demand" in item.what


def test_what_a_workload_costs_includes_its_platform() -> None:
    plan = blueprint_plan("vllm", room="inference")
    assert plan.platform
    assert estimate(plan).monthly.expected > estimate(plan.platform).monthly.at_least


def test_the_nodes_of_teams_are_theirs_by_quota_and_by_what_their_pods_take() -> None:
    shares = {
        item.pool: item.shares for item in estimate(stack_plan("production")).items if item.unit == "hour" and item.pool
    }
    assert shares["train"] == {"training": 1}
    assert shares["serve"] == {"serving": 1}
    assert shares["burst"] == pytest.approx({"serving": 0.5, "training": 0.5})
    # Each team has three of the twelve cores of three nodes; the rest is the platform's.
    assert set(shares["system"]) == {"serving", "training", "platform"}
    assert shares["system"]["training"] == pytest.approx(3 / 12)


def test_without_quotas_nodes_are_the_platforms() -> None:
    plan = stack_plan("production")
    bare = Plan.of("bare", (each for each in plan.resources if each.type != QUOTAS))
    shares = {item.pool: item.shares for item in estimate(bare).items if item.pool}
    assert shares["train"] == shares["burst"] == {"platform": 1}


def test_what_has_no_price_is_listed_and_not_zero() -> None:
    # In Frankfurt the catalog has prices of few things beside instances and the network.
    plan = moved(stack_plan("production"), "us-west-2", "eu-central-1")
    bill = estimate(plan)
    unknown = {line.what for line in bill.not_priced}
    assert bill.region == "eu-central-1"
    assert {"S3 Standard, first 50 TB", "CloudWatch Logs, taken in"} <= unknown
    assert not unknown & {item.what for item in bill.items}
    assert all("eu-central-1" in line.reason for line in bill.not_priced)


def test_instance_types_without_a_price_are_listed() -> None:
    key = "node.kubernetes.io/instance-type"
    some = estimate(with_requirements("production", "-serve", key, ["p5e.48xlarge", "g6.xlarge"]))
    assert [line.what for line in some.not_priced] == ["p5e.48xlarge"]
    none = estimate(with_requirements("production", "-serve", key, ["p5e.48xlarge", "x1.unheard"]))
    assert "serve" not in none.by_pool()
    unheard = estimate(with_requirements("production", "-serve", key, ["x1.unheard"]))
    assert [line.reason for line in unheard.not_priced] == ["the catalog has none of its instance types"]


def test_a_capacity_block_has_a_price_of_its_own() -> None:
    bill = estimate(
        changed("production", NODE_GROUP, "-train", lambda inputs: inputs.update(capacityType="CAPACITY_BLOCK"))
    )
    assert "train" not in bill.by_pool()
    assert "paid in advance" in bill.not_priced[0].reason


def test_a_plan_that_does_not_say_where_it_is_has_no_prices() -> None:
    with pytest.raises(InputError, match="nothing in it says in which region"):
        estimate(Plan.of("empty", []))
    with pytest.raises(InputError, match="no prices of sa-east-1, it has those of ap-northeast-1, "):
        estimate(moved(stack_plan("startup"), "us-west-2", "sa-east-1"))


def test_support_that_is_extended_costs_more_where_the_cluster_stays_in_it() -> None:
    old = next(
        version
        for version, fact in catalog.kubernetes_versions().items()
        if fact.standard_support_ends and fact.standard_support_ends < catalog.today()
    )

    def bill(policy: str) -> Bill:
        def change(inputs: Any) -> None:
            inputs.update(version=old, upgradePolicy={"supportType": policy})

        return estimate(changed("startup", "eks:index:Cluster", "", change))

    usual = estimate(stack_plan("startup")).monthly.at_least
    assert bill("EXTENDED").monthly.at_least == pytest.approx(usual + 730 * 0.50)
    assert bill("STANDARD").monthly.at_least == pytest.approx(usual)


def moved(plan: Plan, region: str, to: str) -> Plan:
    """A Plan whose platform says that it is elsewhere."""

    def copy(resource: Resource) -> Resource:
        spec = resource.inputs.get("spec")
        if resource.type != "eksml:platform:Platform" or not isinstance(spec, dict):
            return resource
        assert spec["region"] == region
        return replace(resource, inputs={**resource.inputs, "spec": {**spec, "region": to}})

    return Plan.of(plan.stack, map(copy, plan.resources))
