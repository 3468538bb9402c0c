"""Working hours of a development stack: what comes and goes, when, and with which rights."""

import json
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from eksml import names
from eksml.clock import hours_per_week
from eksml.nodes.managed_pool import ManagedPool, ManagedPoolSpec
from eksml.nodes.schedule import Schedule, ScheduleSpec, schedule_problems
from eksml.plan import Plan
from eksml.spec import parse
from programs import names_of, needs, one, recorded
from refusals import check_problems, problems

SCHEDULE = "aws:scheduler/schedule:Schedule"
CRON_JOB = "kubernetes:batch/v1:CronJob"
POLICY = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
HOURS: dict[str, Any] = {"start": "07:00", "end": "20:00", "timeZone": "Europe/Berlin"}
SYSTEM: dict[str, Any] = {"kind": "managed", "instanceTypes": ["m7i.large"], "size": 2}
GPUS: dict[str, Any] = {"kind": "managed", "instanceTypes": ["g6.xlarge"], "accelerator": "nvidia", "size": 3}


def spec_of(**settings: Any) -> ScheduleSpec:
    return parse(ScheduleSpec, {**HOURS, **settings})


def schedule(
    pools: dict[str, dict[str, Any]] | None = None,
    karpenter_pools: tuple[str, ...] = ("train", "burst"),
    **settings: Any,
) -> Plan:
    def program() -> None:
        specs = {pool: parse(ManagedPoolSpec, given) for pool, given in (pools or {}).items()}
        made = {
            pool: ManagedPool(
                f"lab-{pool}",
                spec,
                pool=pool,
                kubernetes_version="1.36",
                cluster_name="lab",
                role_arn="arn:aws:iam::123456789012:role/node",
                subnets={"usw2-az1": "subnet-1"},
            )
            for pool, spec in specs.items()
        }
        Schedule(
            "lab-schedule",
            spec_of(**settings),
            region="us-west-2",
            cluster_name="lab",
            managed_pools=made,
            managed_specs=specs,
            karpenter_pools=karpenter_pools,
            tags={names.PLATFORM_TAG: "lab"},
            opts=pulumi.ResourceOptions(providers=[k8s.Provider("cluster", kubeconfig="{}")]),
        )

    return recorded(program)


def asked(plan: Plan, name: str) -> tuple[str, dict[str, int]]:
    made = one(plan, SCHEDULE, f"lab-schedule-{name}").inputs
    return made["scheduleExpression"], json.loads(made["target"]["input"])["ScalingConfig"]


def test_managed_gpus_go_in_the_evening_and_come_back_in_the_morning_at_their_size() -> None:
    plan = schedule({"system": SYSTEM, "gpus": GPUS})
    nobody, all_of_them = {"MinSize": 0, "DesiredSize": 0, "MaxSize": 3}, {"MinSize": 3, "DesiredSize": 3, "MaxSize": 3}
    assert asked(plan, "gpus-end") == ("cron(0 20 ? * MON,TUE,WED,THU,FRI *)", nobody)
    assert asked(plan, "gpus-start") == ("cron(0 7 ? * MON,TUE,WED,THU,FRI *)", all_of_them)
    made = one(plan, SCHEDULE, "lab-schedule-gpus-end").inputs
    assert made["scheduleExpressionTimezone"] == "Europe/Berlin"
    assert made["flexibleTimeWindow"] == {"mode": "OFF"}
    assert made["target"]["arn"] == "arn:aws:scheduler:::aws-sdk:eks:updateNodegroupConfig"
    assert json.loads(made["target"]["input"])["ClusterName"] == "lab"


def test_what_the_platform_itself_runs_on_stays_unless_it_is_told_otherwise() -> None:
    names_made = names_of(schedule({"system": SYSTEM, "gpus": GPUS}), SCHEDULE)
    assert sorted(names_made) == ["lab-schedule-gpus-end", "lab-schedule-gpus-start"]


def test_karpenter_has_an_hour_to_drain_its_nodes_before_its_own_go() -> None:
    plan = schedule({"system": SYSTEM, "gpus": GPUS}, systemPools=True)
    assert asked(plan, "system-end")[0] == "cron(0 21 ? * MON,TUE,WED,THU,FRI *)"
    assert asked(plan, "gpus-end")[0] == "cron(0 20 ? * MON,TUE,WED,THU,FRI *)"
    assert asked(plan, "system-start")[0] == asked(plan, "gpus-start")[0]


def test_an_hour_after_a_late_evening_is_another_day() -> None:
    plan = schedule({"system": SYSTEM}, systemPools=True, end="23:30", days=["saturday", "monday"])
    assert asked(plan, "system-end")[0] == "cron(30 0 ? * SUN,TUE *)"


def test_what_is_reserved_is_paid_for_anyway_and_an_empty_pool_stays_empty() -> None:
    reserved = {"capacity": {"kind": "reservation", "id": "cr-0123456789abcdef0"}, "zones": ["usw2-az1"]}
    assert names_of(schedule({"gpus": {**GPUS, **reserved}, "none": {**GPUS, "size": 0}}), SCHEDULE) == []


def test_the_role_changes_the_size_of_these_node_groups_and_nothing_else() -> None:
    plan = schedule({"system": SYSTEM, "gpus": GPUS})
    (statement,) = json.loads(one(plan, "aws:iam/rolePolicy:RolePolicy").inputs["policy"])["Statement"]
    assert statement["Action"] == "eks:UpdateNodegroupConfig"
    (group,) = statement["Resource"]
    assert group.startswith("arn:aws:eks:us-west-2:123456789012:nodegroup/lab-gpus")
    (trust,) = json.loads(one(plan, "aws:iam/role:Role").inputs["assumeRolePolicy"])["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"]["StringEquals"]["aws:SourceArn"].partition(":schedule-group/")[2]


def test_what_can_carry_tags_does() -> None:
    plan = schedule({"gpus": GPUS})
    for kind in ("aws:iam/role:Role", "aws:scheduler/scheduleGroup:ScheduleGroup"):
        assert one(plan, kind).inputs["tags"][names.PLATFORM_TAG] == "lab"


def test_karpenters_nodes_are_taken_leave_of_when_the_day_ends() -> None:
    plan = schedule()
    spec = one(plan, CRON_JOB).inputs["spec"]
    assert (spec["schedule"], spec["timeZone"]) == ("0 20 * * 1,2,3,4,5", "Europe/Berlin")
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"] == [
        "delete",
        "nodeclaims.karpenter.sh",
        "--selector=karpenter.sh/nodepool in (train,burst)",
        "--wait=false",
    ]
    assert container["image"].startswith("registry.k8s.io/kubectl:v")
    binding = one(plan, "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding")
    assert binding.urn in needs(plan, one(plan, CRON_JOB))


def test_its_pod_has_no_more_rights_than_it_needs() -> None:
    plan = schedule()
    (rule,) = one(plan, "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole").inputs["rules"]
    assert rule == {"apiGroups": ["karpenter.sh"], "resources": ["nodeclaims"], "verbs": ["get", "list", "delete"]}
    namespace = one(plan, "kubernetes:core/v1:Namespace").inputs["metadata"]
    assert (namespace["name"], namespace["labels"][names.POD_SECURITY_LABEL]) == ("working-hours", "restricted")
    assert one(plan, "kubernetes:networking.k8s.io/v1:NetworkPolicy").inputs["spec"]["policyTypes"] == [
        "Ingress",
        "Egress",
    ]


def test_new_nodes_are_refused_until_the_next_day_begins_and_where_that_cannot_be_judged_they_are_made() -> None:
    spec = one(schedule(), POLICY).inputs["spec"]
    (rule,) = spec["validations"]
    assert "getDayOfWeek('Europe/Berlin') in [1, 2, 3, 4, 5]" in rule["expression"]
    assert "variables.minutes >= 420 && variables.minutes < 1200" in rule["expression"]
    assert rule["message"] == "nodes are there Mon, Tue, Wed, Thu, Fri 07:00 to 20:00 Europe/Berlin only (schedule)"
    assert spec["failurePolicy"] == "Ignore"


def test_without_karpenter_nothing_of_it_is_in_the_cluster() -> None:
    assert names_of(schedule({"gpus": GPUS}, karpenter_pools=()), CRON_JOB) == []


def test_the_image_comes_from_a_registry_of_ones_own() -> None:
    def program() -> None:
        opts = pulumi.ResourceOptions(providers=[k8s.Provider("cluster", kubeconfig="{}")])
        Schedule(
            "lab",
            spec_of(),
            region="us-west-2",
            cluster_name="lab",
            managed_pools={},
            managed_specs={},
            karpenter_pools=("train",),
            image_registry="registry.example.com",
            opts=opts,
        )

    pod = one(recorded(program), CRON_JOB).inputs["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"].startswith("registry.example.com/registry.k8s.io/kubectl:")


def test_hours_of_a_week() -> None:
    assert hours_per_week(["monday", "tuesday"], "07:00", "20:30") == 27
    assert hours_per_week(spec_of().days, "07:00", "20:00") == 65


@pytest.mark.parametrize(
    ("settings", "beginnings"),
    [
        ({"end": "06:00"}, ["end: 06:00 given, must be after 07:00"]),
        ({"timeZone": "Europe/Berln"}, ["timeZone: 'Europe/Berln' is no time zone, did you mean 'Europe/Berlin'?"]),
        ({"days": []}, ["days: empty, needs at least 1"]),
        ({"days": ["monday", "monday"]}, ["days[1]: 'monday' is listed twice"]),
        ({"start": "7 am"}, ["start: '7 am' given, must be a time such as 08:30"]),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], beginnings: list[str]) -> None:
    check_problems(problems(ScheduleSpec, {**HOURS, **settings}), beginnings)


def test_a_time_of_day_without_quotes_is_one() -> None:
    assert spec_of(start=7 * 60).start == "07:00"


def test_a_cluster_that_others_rely_on_does_not_sleep() -> None:
    pools = {"gpus": parse(ManagedPoolSpec, GPUS)}
    found = schedule_problems(spec_of(), managed_pools=pools, karpenter_pools=(), is_protected=True)
    check_problems([each.text for each in found], ["given, but a cluster with deletionProtection"])


def test_a_schedule_has_something_that_comes_and_goes() -> None:
    pools = {"system": parse(ManagedPoolSpec, SYSTEM)}
    found = schedule_problems(spec_of(), managed_pools=pools, karpenter_pools=(), is_protected=False)
    check_problems([each.text for each in found], ["given, but no pool comes and goes by it"])
    also = schedule_problems(spec_of(systemPools=True), managed_pools=pools, karpenter_pools=(), is_protected=False)
    assert list(also) == []
