"""A queue lets each job go that waits in it."""

from typing import Any

import pytest
import yaml

from checks.faults import (
    GPU,
    IN_TRAINING,
    RELEASE,
    Fault,
    Planted,
    add,
    asking,
    both,
    custom_job,
    each_of,
    expect_found,
    found,
    job,
    planted,
    the,
)
from eksml.plan import Resource


def queueing(*frameworks: str) -> Fault:
    """Has Kueue queue other kinds."""

    def fault(resources: dict[str, Resource]) -> None:
        values = the(resources, RELEASE, "kueue-kueue").inputs["values"]["managerConfig"]
        configuration = yaml.safe_load(values["controllerManagerConfigYaml"])
        configuration["integrations"]["frameworks"] = list(frameworks)
        values["controllerManagerConfigYaml"] = yaml.safe_dump(configuration)

    return fault


def gpus(count: int) -> dict[str, Any]:
    """The part of a container that asks for GPUs."""
    return asking(**GPU | {"nvidia.com/gpu": str(count)})


def waiting(kind: str, name: str, spec: dict[str, Any]) -> Fault:
    """An object in the namespace of the training team, which has a queue."""
    api_version, _, short = kind.removeprefix("kubernetes:").rpartition(":")
    metadata = {"name": name, **IN_TRAINING}
    return add(kind, name, {"apiVersion": api_version, "kind": short, "metadata": metadata, "spec": spec})


ROLLOUT = "kubernetes:argoproj.io/v1alpha1:Rollout"
SCALED_OBJECT = "kubernetes:keda.sh/v1alpha1:ScaledObject"


def rollout(replicas: int | None, strategy: dict[str, Any], gpus_each: int = 1) -> Fault:
    """A Rollout on pool burst, of which the training team has 8 GPUs and may borrow 8."""
    pod = {"nodeSelector": {"eksml.dev/pool": "burst"}, "containers": [gpus(gpus_each)]}
    count = {} if replicas is None else {"replicas": replicas}
    return waiting(ROLLOUT, "server", {**count, "strategy": strategy, "template": {"spec": pod}})


def scaled(kind: str, **most: int) -> Fault:
    """A Rollout whose replicas a scaler counts."""
    target = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "server"}
    scaler = waiting(kind, "scaler", {"scaleTargetRef": target, **most})
    return both(rollout(None, {"blueGreen": {}}), scaler)


FAULTS: list[Planted] = [
    (
        "job-fits-quota",
        job(metadata=IN_TRAINING, spec={"parallelism": 9}, container=gpus(2)),
        "job: job: 9 pods ask for 9216 MiB of memory, 18 nvidia.com/gpu, more than queue training may ever have of "
        "system (0 nvidia.com/gpu), train (8 nvidia.com/gpu) or burst (16 nvidia.com/gpu)",
    ),
    (
        "job-fits-quota",
        job(metadata=IN_TRAINING, nodeSelector={"eksml.dev/pool": "train"}, container=asking(cpu="100", memory="1Gi")),
        "job: job: asks for 100 vCPUs, 1024 MiB of memory, more than queue training may ever have of train",
    ),
    (
        "job-fits-quota",
        job(metadata=IN_TRAINING, container=asking(**GPU | {"vpc.amazonaws.com/efa": "1"})),
        "job: job: asks for vpc.amazonaws.com/efa, of which queue training has no quota",
    ),
    (
        "job-fits-quota",
        job(metadata=IN_TRAINING, nodeSelector={"eksml.dev/pool": "serve"}, container=asking(**GPU)),
        "job: job: runs on no nodes that queue training has a quota of: system, train, burst",
    ),
    (
        "job-fits-quota",
        job(metadata=IN_TRAINING | {"labels": {"kueue.x-k8s.io/queue-name": "fast"}}, container=asking(**GPU)),
        "job: job: waits in queue fast, which namespace training does not have; it has default",
    ),
    (
        "job-fits-quota",
        both(
            queueing("batch/job", "pod"),
            custom_job("kubeflow.org/v1", "PyTorchJob", labels={"kueue.x-k8s.io/queue-name": "default"}),
        ),
        "fit: is in queue default, but Kueue queues no PyTorchJob: its frameworks are batch/job or pod",
    ),
]


@each_of(FAULTS)
def test_a_planted_fault_is_found(check: str, fault: Fault, text: str) -> None:
    expect_found(check, fault, text)


@pytest.mark.parametrize(
    "right",
    [
        job(metadata=IN_TRAINING, spec={"parallelism": 8}, container=gpus(2)),
        job(metadata=IN_TRAINING, spec={"parallelism": 99, "completions": 1}, container=asking(**GPU)),
        job(
            metadata=IN_TRAINING | {"annotations": {"kueue.x-k8s.io/job-min-parallelism": "4"}},
            spec={"parallelism": 99},
            container=asking(**GPU),
        ),
        job(metadata=IN_TRAINING, container=asking(**{"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"})),
        job(spec={"parallelism": 99}, container=asking(cpu="1", memory="1Gi")),
    ],
    ids=["with what may be borrowed", "one after the other", "fewer at once", "disk is not counted", "in no queue"],
)
def test_a_job_that_its_queue_lets_go_is_not_found(right: Fault) -> None:
    assert found(planted(right), "job-fits-quota") == []


@pytest.mark.parametrize(
    ("cohort", "limit", "is_found"),
    [("lab", None, False), ("lab", "8", True), ("lab", "24", False), (None, None, True)],
)
def test_what_may_be_borrowed_counts_and_without_a_limit_it_is_anything(
    cohort: str | None, limit: str | None, is_found: bool
) -> None:
    def fault(resources: dict[str, Resource]) -> None:
        spec = the(resources, "kubernetes:kueue.x-k8s.io/v1beta2:ClusterQueue", "training-queue").inputs["spec"]
        spec["cohortName"] = cohort
        (burst,) = [each for each in spec["resourceGroups"][0]["flavors"] if each["name"] == "burst"]
        (quota,) = [each for each in burst["resources"] if each["name"] == "nvidia.com/gpu"]
        quota["borrowingLimit"] = limit

    large = job(metadata=IN_TRAINING, spec={"parallelism": 8}, container=gpus(4))
    assert bool(found(planted(fault, large), "job-fits-quota")) is is_found


@pytest.mark.parametrize(
    ("frameworks", "count", "is_found"), [(["pod"], 16, False), (["pod"], 17, True), (["batch/job"], 17, False)]
)
def test_the_pods_of_a_deployment_wait_one_by_one(frameworks: list[str], count: int, is_found: bool) -> None:
    template = {"spec": {"containers": [gpus(count)]}}
    server = waiting("kubernetes:apps/v1:Deployment", "server", {"replicas": 9, "template": template})
    assert bool(found(planted(queueing(*frameworks), server), "job-fits-quota")) is is_found


@pytest.mark.parametrize(
    ("fault", "pods"),
    [
        (rollout(8, {"blueGreen": {}}), None),
        (rollout(9, {"blueGreen": {}}), 18),
        (rollout(15, {"canary": {"maxSurge": 1}}), None),
        (rollout(16, {"canary": {"maxSurge": 1}}), 17),
        (rollout(14, {"canary": {}}), 18),
        (scaled(SCALED_OBJECT, maxReplicaCount=8), None),
        (scaled(SCALED_OBJECT, maxReplicaCount=9), 18),
        (scaled(SCALED_OBJECT), 200),
        (scaled("kubernetes:autoscaling/v2:HorizontalPodAutoscaler", maxReplicas=9), 18),
    ],
)
def test_a_rollout_has_room_for_both_its_versions(fault: Fault, pods: int | None) -> None:
    line = (
        f"server: server: {pods} pods of both versions ask for {pods} nvidia.com/gpu, more than the 16 that queue "
        "training may ever have for it: a new version would wait for ever"
    )
    assert found(planted(fault), "job-fits-quota") == ([line] if pods else [])


def test_a_rollout_whose_pods_never_go_is_told_so_once() -> None:
    (line,) = found(planted(rollout(2, {"blueGreen": {}}, gpus_each=17)), "job-fits-quota")
    assert line.startswith("server: server: asks for 1024 MiB of memory, 17 nvidia.com/gpu, more than queue training")


def test_the_parts_of_a_job_are_let_go_together_or_not_at_all() -> None:
    parts = {part: {"replicas": 4, "template": {"spec": {"containers": [gpus(4)]}}} for part in ("Master", "Worker")}
    fit = waiting("kubernetes:kubeflow.org/v1:PyTorchJob", "fit", {"pytorchReplicaSpecs": parts})
    assert found(planted(queueing("kubeflow.org/pytorchjob"), fit), "job-fits-quota") == [
        "fit: fit-pytorchReplicaSpecs-Master: its pods ask for 32 nvidia.com/gpu together, more than queue training "
        "may ever have: 24 nvidia.com/gpu"
    ]
