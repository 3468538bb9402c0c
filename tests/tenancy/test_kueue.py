"""Queues: Kueue itself, and the queue of a team."""

from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import yaml

from crds import check_admitted
from eksml import names
from eksml.plan import Plan
from eksml.tenancy.kueue import Kueue, KueueSpec
from eksml.tenancy.quotas import Share
from eksml.tenancy.team_queue import TeamQueue, TeamQueueSpec
from programs import one, recorded

FLAVORS = {
    "train": {"nodeLabels": {"eksml.dev/pool": "train"}, "tolerations": [names.gpu_toleration()]},
    "cpu": {"nodeLabels": {"eksml.dev/pool": "cpu"}},
}
SHARES = {
    "train": {"cpu": Share(48_000, 0), "memory": Share(1024, 512), "nvidia.com/gpu": Share(4, 2)},
    "cpu": {"cpu": Share(1500, 0), "memory": Share(2048, 0)},
}
OBJECT = "kubernetes:kueue.x-k8s.io/v1beta2:"


def kueue(*, has_prometheus: bool = False, **settings: Any) -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        opts = pulumi.ResourceOptions(providers=[provider])
        Kueue("lab-kueue", KueueSpec(**settings), flavors=FLAVORS, has_prometheus=has_prometheus, opts=opts)

    return recorded(program)


def queue() -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        spec = TeamQueueSpec(team="vision", cohort="lab")
        TeamQueue("lab-vision-queue", spec, shares=SHARES, opts=pulumi.ResourceOptions(providers=[provider]))

    return recorded(program)


def configuration(plan: Plan) -> Any:
    values = one(plan, "kubernetes:helm.sh/v3:Release").inputs["values"]
    return yaml.safe_load(values["managerConfig"]["controllerManagerConfigYaml"])


def test_it_works_alone_and_its_objects_come_after_the_chart_that_brings_their_kinds(shared: Path) -> None:
    plan = kueue()
    release = one(plan, "kubernetes:helm.sh/v3:Release")
    made = [each for each in plan.resources if each.type.startswith(OBJECT)]
    assert sorted(each.inputs["metadata"]["name"] for each in made) == ["cpu", "high", "low", "normal", "train"]
    for each in made:
        assert release.urn in each.dependencies
        check_admitted(each.inputs, shared)


def test_a_flavor_leads_to_its_pool_past_the_taint() -> None:
    assert one(kueue(), f"{OBJECT}ResourceFlavor", "lab-kueue-resourceflavor-train").inputs["spec"] == FLAVORS["train"]


def test_no_job_of_a_team_starts_past_its_queue() -> None:
    made = configuration(kueue())
    assert made["manageJobsWithoutQueueName"] is True
    assert made["managedJobsNamespaceSelector"]["matchExpressions"] == [{"key": names.TEAM_LABEL, "operator": "Exists"}]


def test_a_job_without_a_priority_is_a_normal_one() -> None:
    classes = kueue().of_type(f"{OBJECT}WorkloadPriorityClass")
    values = {each.inputs["metadata"]["name"]: each.inputs["value"] for each in classes}
    assert values["high"] > values["normal"] == 0 > values["low"]


def test_kinds_of_jobs_are_queued_as_asked_for() -> None:
    made = configuration(kueue(frameworks=("batch/job", "kubeflow.org/pytorchjob")))
    assert {"batch/job", "kubeflow.org/pytorchjob"} <= set(made["integrations"]["frameworks"])


def test_no_pod_of_a_team_starts_past_its_queue_whatever_made_it() -> None:
    kinds: list[dict[str, Any]] = [{}, {"frameworks": ("ray.io/rayjob",)}, {"frameworks": ()}]
    for settings in kinds:
        assert {"pod", "deployment"} <= set(configuration(kueue(**settings))["integrations"]["frameworks"])


def test_what_no_quota_covers_keeps_no_pod_waiting() -> None:
    assert "ephemeral-storage" in configuration(kueue())["resources"]["excludeResourcePrefixes"]


def test_queues_are_measured_with_their_quotas_where_there_is_prometheus() -> None:
    values = one(kueue(has_prometheus=True), "kubernetes:helm.sh/v3:Release").inputs["values"]
    assert values["enablePrometheus"] is True
    assert values["metrics"] == {"prometheusNamespace": names.OBSERVABILITY_NAMESPACE}
    assert configuration(kueue(has_prometheus=True))["metrics"]["enableClusterQueueResources"] is True
    without = one(kueue(), "kubernetes:helm.sh/v3:Release").inputs["values"]
    assert not {"enablePrometheus", "metrics"} & set(without), "its kind is not there"


def test_two_controllers_keep_each_other_company() -> None:
    values = one(kueue(), "kubernetes:helm.sh/v3:Release").inputs["values"]["controllerManager"]
    assert values["replicas"] == 2
    assert values["podDisruptionBudget"] == {"enabled": True}
    single = one(kueue(replicas=1), "kubernetes:helm.sh/v3:Release").inputs["values"]["controllerManager"]
    assert single["podDisruptionBudget"] == {"enabled": False}


def test_a_queue_lists_every_resource_for_every_pool_in_the_order_given(shared: Path) -> None:
    made = one(queue(), f"{OBJECT}ClusterQueue").inputs
    check_admitted(made, shared)
    (group,) = made["spec"]["resourceGroups"]
    assert group["coveredResources"] == ["cpu", "memory", "nvidia.com/gpu"]
    assert [flavor["name"] for flavor in group["flavors"]] == ["train", "cpu"]
    train, cpu = group["flavors"]
    assert train["resources"] == [
        {"name": "cpu", "nominalQuota": "48", "borrowingLimit": "0"},
        {"name": "memory", "nominalQuota": "1Gi", "borrowingLimit": "512Mi"},
        {"name": "nvidia.com/gpu", "nominalQuota": "4", "borrowingLimit": "2"},
    ]
    assert cpu["resources"][2] == {"name": "nvidia.com/gpu", "nominalQuota": "0", "borrowingLimit": "0"}


def test_teams_lend_each_other_what_they_do_not_use_and_get_it_back() -> None:
    spec = one(queue(), f"{OBJECT}ClusterQueue").inputs["spec"]
    assert spec["cohortName"] == "lab"
    assert spec["preemption"]["reclaimWithinCohort"] == "Any"


def test_only_jobs_of_the_teams_namespace_are_admitted() -> None:
    spec = one(queue(), f"{OBJECT}ClusterQueue").inputs["spec"]
    assert spec["namespaceSelector"] == {"matchLabels": {names.TEAM_LABEL: "vision"}}
