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
from eksml.spec import parse
from programs import ROOT, blueprint_plan, stack_plan

NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
NODE_POOL = "kubernetes:karpenter.sh/v1:NodePool"
SCALED_OBJECT = "kubernetes:keda.sh/v1alpha1:ScaledObject"
ROLLOUT = "kubernetes:argoproj.io/v1alpha1:Rollout"
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
    bill, of_recorded = estimate(read), estimate(recorded)
    # The engine shows no inputs of a component, so nobody knows the cluster's version, nor when its support ends.
    (support,) = of_recorded.notes
    assert "standard support" in support
    assert bill == replace(of_recorded, stack=read.stack, notes=(), assumed=of_recorded.assumed - {"on"})
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
    assert prices[0].expected == prices[1].expected < prices[2].expected
    assert prices[2].expected == pytest.approx(0.8048)
    # EC2 asks no more for spot than for on demand.
    assert prices[0].most == prices[1].most == prices[2].most == 1.861
    assert prices[0].at_least < prices[0].expected


def test_an_autoscaled_server_counts_with_its_fewest_replicas() -> None:
    def more(inputs: Any) -> None:
        inputs["spec"]["minReplicaCount"] = 5

    usual = pool_of(estimate(stack_plan("production")), "serve").expected
    more_of_one = pool_of(estimate(changed("production", SCALED_OBJECT, "vision", more)), "serve").expected
    assert more_of_one == pytest.approx(usual * (2 + 5) / 4)


def test_a_server_that_never_sleeps_costs_at_least_the_cheapest_type_that_it_runs_on() -> None:
    def larger(inputs: Any) -> None:
        selector = inputs["spec"]["template"]["spec"]["nodeSelector"]
        selector["node.kubernetes.io/instance-type"] = "g6.2xlarge"

    serve = pool_of(estimate(changed("production", ROLLOUT, "vision", larger)), "serve")
    # Two of the classifier on the pool's cheapest type, which two of the other cannot have; each with its disk.
    assert serve.at_least == pytest.approx(730 * 2 * (0.8048 + 0.9776) + 4 * 200 * 0.08)
    assert serve.at_least <= serve.expected


def test_pods_beyond_the_limit_of_a_pool_wait_and_cost_nothing() -> None:
    def many(inputs: Any) -> None:
        inputs["spec"]["minReplicaCount"] = 100

    serve = pool_of(estimate(changed("production", SCALED_OBJECT, "vision", many)), "serve")
    assert serve.most is not None
    # 24 GPUs, each on a node of its own.
    assert serve.expected == pytest.approx(24 * (730 * 0.8048 + 200 * 0.08))
    assert serve.at_least <= serve.expected <= serve.most


def test_a_limit_is_filled_with_what_costs_most_and_then_with_what_still_fits() -> None:
    key = "node.kubernetes.io/instance-type"
    plan = with_requirements("research", "-train", key, ["g6e.12xlarge", "g6.xlarge"])
    train = next(each for each in plan.of_type(NODE_POOL) if each.name.endswith("-train"))
    smaller = replace(train, inputs={**train.inputs, "spec": {**train.inputs["spec"], "limits": {"nvidia.com/gpu": 6}}})
    bill = estimate(Plan.of("research", (smaller if each is train else each for each in plan.resources)))
    nodes = next(item for item in bill.items if item.pool == "train" and item.unit == "hour")
    assert nodes.what.endswith("at most 1 × g6e.12xlarge and 2 × g6.xlarge")
    assert nodes.monthly.most == pytest.approx(730 * (10.49264 + 2 * 0.8048))
    disks = next(item for item in bill.items if item.pool == "train" and item.unit == "GB-month")
    # Six nodes with a GPU each have more disks.
    assert disks.monthly.most == pytest.approx(6 * 200 * 0.08)


def test_a_server_that_may_sleep_is_awake_for_as_long_as_assumed() -> None:
    def gpu_hours(awake: float) -> float:
        bill = estimate(stack_plan("startup"), Assumptions(awake_hours_per_day=awake, job_hours_per_day=0))
        return next(item.quantity.expected for item in bill.items if item.pool == "gpu" and item.unit == "hour")

    assert gpu_hours(0) == 0
    # There are no nodes but from 8 to 20 o'clock of working days.
    assert gpu_hours(6) == pytest.approx(730 / 4 * 5 / 7)
    assert gpu_hours(24) == pytest.approx(730 * 5 * 12 / (7 * 24))


def test_a_job_runs_for_as_long_as_assumed_on_the_nodes_that_it_asks_for() -> None:
    plan = blueprint_plan("native-pytorch")

    def nodes(hours: float) -> Item:
        bill = estimate(plan, Assumptions(job_hours_per_day=hours, awake_hours_per_day=0))
        return next(item for item in bill.items if item.pool == "gpu" and item.unit == "hour")

    assert nodes(8).quantity.expected == pytest.approx(4 * nodes(2).quantity.expected)
    assert "for 8 h on each of 21.7 days a month" in nodes(8).what
    assert nodes(8).purposes == {"training": 1}
    # It is one of the jobs that the pool is full of.
    assert plan.platform
    alone = estimate(plan.platform, Assumptions(job_hours_per_day=8, awake_hours_per_day=0))
    assert alone.by_pool()["gpu"].expected == pytest.approx(nodes(8).monthly.expected, rel=0.1)


def with_cpu_pool(**quotas: Any) -> Plan:
    """Production with a pool of CPUs that comes and goes, which teams have quotas of."""
    cpu = {"kind": "karpenter", "instanceTypes": ["m7i.4xlarge", "m7i.8xlarge"], "cpuLimit": 64}
    settings = {f"teams.{team}.quotas.cpu": {"vcpus": vcpus} for team, vcpus in quotas.items()}
    return record(find_stack(str(ROOT), "production").with_settings({"pools.cpu": cpu, **settings}))


def test_a_pool_of_cpus_that_teams_have_quotas_of_is_full_of_jobs_too() -> None:
    bill = estimate(with_cpu_pool(training=32, serving=16))
    item = next(each for each in bill.items if each.pool == "cpu" and each.unit == "hour")
    # Four nodes of 16 vCPUs each.
    assert item.what.startswith("4 × m7i.4xlarge for 4 h a day, on demand")
    assert item.monthly.expected == pytest.approx(4 * 4 * 730 / 24 * 0.8064)
    assert item.purposes == {"training": 1}
    assert item.shares == pytest.approx({"training": 1 / 2, "serving": 1 / 4, "platform": 1 / 4}, rel=0.02)
    assert item.monthly.at_least == 0


def test_a_pool_of_cpus_that_no_team_has_a_quota_of_is_for_whatever_comes() -> None:
    item = next(each for each in estimate(with_cpu_pool()).items if each.pool == "cpu" and each.unit == "hour")
    assert (item.quantity.expected, item.purposes) == (0, {"cluster": 1})


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
    def of_a_class_of_its_own(inputs: Any) -> None:
        inputs["instanceClass"] = "db.x9.huge"

    plan = changed("production", "aws:rds/instance:Instance", "", of_a_class_of_its_own)
    bill = estimate(moved(plan, "us-west-2", "eu-central-1"))
    unknown = {line.what for line in bill.not_priced}
    assert bill.region == "eu-central-1"
    assert unknown == {"RDS PostgreSQL, db.x9.huge, Multi-AZ"}
    assert not unknown & {item.what for item in bill.items}
    assert all("eu-central-1" in line.reason for line in bill.not_priced)
    assert bill.without == ", without 1 item that has no price here"


@pytest.mark.parametrize("region", sorted(catalog.priced_regions()))
def test_in_every_region_the_parts_of_a_platform_have_a_price_or_an_estimate_of_one(region: str) -> None:
    bill = estimate(moved(stack_plan("production"), "us-west-2", region))
    # EC2 does not have every type everywhere.
    assert {line.what for line in bill.not_priced} <= set(catalog.instance_types())
    logs = next(item for item in bill.items if item.what == "CloudWatch Logs, taken in")
    assert (logs.confidence == "estimate") == (region not in ("us-east-1", "us-west-2"))


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


def with_cluster(policy: str, version: str = "1.36") -> Plan:
    return changed(
        "startup",
        "eks:index:Cluster",
        "",
        lambda inputs: inputs.update(version=version, upgradePolicy={"supportType": policy}),
    )


@pytest.mark.parametrize(("day", "is_extended"), [("2027-08-02", False), ("2027-08-03", True)])
def test_the_bill_of_a_later_day_has_extended_support_where_standard_support_has_ended(
    day: str, is_extended: bool
) -> None:
    now, then = (
        estimate(with_cluster("EXTENDED"), assumptions) for assumptions in (None, parse(Assumptions, {"on": day}))
    )
    assert then.monthly.at_least - now.monthly.at_least == pytest.approx(is_extended * 730 * 0.50)
    assert [item.what for item in then.items if "extended" in item.what] == is_extended * [
        "EKS extended support, on top of the control plane"
    ]


def test_with_the_standard_policy_a_later_day_costs_the_same_as_eks_upgrades_the_cluster() -> None:
    then = estimate(with_cluster("STANDARD"), parse(Assumptions, {"on": "2028-01-01"}))
    assert then.monthly == estimate(with_cluster("STANDARD")).monthly


@pytest.mark.parametrize(
    ("policy", "version", "day", "note"),
    [
        (
            "EXTENDED",
            "1.36",
            "2026-11-21",
            "EKS ends its standard support of Kubernetes 1.36 on 2027-08-02. From then on the control plane costs $365 "
            "a month more, for extended support. See it with --assume on=2027-08-03.",
        ),
        (
            "EXTENDED",
            "1.35",
            "2027-04-01",
            "EKS ended its standard support of Kubernetes 1.35 on 2027-03-27. Since then the control plane costs $365 "
            "a month more, for extended support, until 2028-03-27, when EKS upgrades it.",
        ),
        (
            "STANDARD",
            "1.36",
            "2026-11-21",
            "EKS ends its standard support of Kubernetes 1.36 on 2027-08-02, and upgrades the cluster by itself then. "
            "With cluster.upgradePolicy extended it would stay, and cost $365 a month more.",
        ),
        (
            "STANDARD",
            "1.36",
            "2027-09-01",
            "EKS ended its standard support of Kubernetes 1.36 on 2027-08-02, and upgraded the cluster by itself then. "
            "With cluster.upgradePolicy extended it would stay, and cost $365 a month more.",
        ),
    ],
)
def test_a_bill_tells_the_day_on_which_standard_support_ends(policy: str, version: str, day: str, note: str) -> None:
    assert estimate(with_cluster(policy, version), parse(Assumptions, {"on": day})).notes == (note,)


def test_a_version_whose_dates_nobody_knows_has_no_such_day() -> None:
    assert estimate(with_cluster("EXTENDED", "1.37")).notes == ()


def moved(plan: Plan, region: str, to: str) -> Plan:
    """A Plan whose platform says that it is elsewhere."""

    def copy(resource: Resource) -> Resource:
        spec = resource.inputs.get("spec")
        if resource.type != "eksml:platform:Platform" or not isinstance(spec, dict):
            return resource
        assert spec["region"] == region
        return replace(resource, inputs={**resource.inputs, "spec": {**spec, "region": to}})

    return Plan.of(plan.stack, map(copy, plan.resources))


@pytest.mark.parametrize("strange", [None, "production", {"natGb": 2000}, 3])
def test_what_is_no_plan_and_what_is_no_assumption_are_refused(strange: Any) -> None:
    with pytest.raises(InputError, match=r"plan: .* given, must be Plan"):
        estimate(strange)
    if strange is not None:
        with pytest.raises(InputError, match=r"assumptions: .* given, must be Assumptions"):
            estimate(stack_plan("startup"), strange)
