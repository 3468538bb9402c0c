"""Each pod finds a node with room for it, and only those that need GPUs are on nodes that have some."""

from copy import deepcopy
from typing import Any

import pytest

from checks.faults import (
    CPU,
    DIRECTORY,
    GPU,
    IN_TRAINING,
    NODE_POOL,
    RELEASE,
    TOLERATION,
    Fault,
    Planted,
    add,
    asking,
    change,
    each_of,
    expect_found,
    found,
    job,
    planted,
    train_job,
)
from eksml.checks import run_checks


def required(*terms: dict[str, Any]) -> dict[str, Any]:
    """An affinity to nodes."""
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}}


def by_name(operator: str) -> dict[str, Any]:
    return required({"matchFields": [{"key": "metadata.name", "operator": operator, "values": ["ip-10-0-0-1"]}]})


SPOT = {"karpenter.sh/capacity-type": "spot"}
DAEMON_SET = "kubernetes:apps/v1:DaemonSet"
AGENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "metadata": {"name": "logs"},
    "spec": {
        "template": {
            "spec": {
                "tolerations": [TOLERATION],
                "containers": [
                    {
                        "name": "logs",
                        "image": "busybox:1.37",
                        "resources": {"requests": {"cpu": "10m"}, "limits": {"memory": "64Mi"}},
                    }
                ],
            }
        }
    },
}
FAULTS: list[Planted] = [
    ("workload-has-nodes", train_job("trian"), "fit: fit: no pool has eksml.dev/pool: trian, did you mean 'train'?"),
    (
        "request-fits-node",
        train_job("system", resourcesPerNode={"requests": {"cpu": "900m", "memory": "4Ti"}}),
        "fit: fit: asks for 0.9 vCPUs, 4194304 MiB of memory, more than is left on any of m7i.xlarge",
    ),
    (
        "workload-has-nodes",
        job(nodeSelector={"eksml.dev/pool": "trian"}),
        "job: job: no pool has eksml.dev/pool: trian, did you mean 'train'?",
    ),
    (
        "workload-has-nodes",
        job(nodeSelector={"eksml.dev/pool": "train"}, container=asking(**GPU)),
        "job: job: does not tolerate the taints of the pools it chooses",
    ),
    (
        "workload-has-nodes",
        job(nodeSelector={"eksml.dev/pool": "system"}, container=asking(**GPU)),
        "job: job: asks for nvidia.com/gpu, which no pool that it can use has",
    ),
    (
        "workload-has-nodes",
        change(RELEASE, "kueue-kueue", "values/controllerManager/nodeSelector", {"disk": "ssd"}),
        "eksml-production-kueue-kueue: kueue-controller-manager: no pool has the labels",
    ),
    (
        "workload-has-nodes",
        job(affinity=by_name("In")),
        "job: job: asks for a node by its name, which none has before it is",
    ),
    (
        "workload-has-nodes",
        job(nodeSelector={"eksml.dev/pool": "train", **SPOT}, tolerations=[TOLERATION], container=asking(**GPU)),
        "job: job: no pool has the labels that it asks for: eksml.dev/pool: train, karpenter.sh/capacity-type: sp",
    ),
    (
        "workload-has-nodes",
        job(nodeSelector={"eksml.dev/pool": "serve", **SPOT}, tolerations=[TOLERATION], container=asking(**GPU)),
        "job: job: no pool has the labels that it asks for: eksml.dev/pool: serve, karpenter.sh/capacity-type: sp",
    ),
    ("workload-has-nodes", job(affinity=required({})), "job: job: no pool has the labels that it asks for"),
    (
        "request-fits-node",
        job(nodeSelector={"eksml.dev/pool": "system"}, container=asking(**CPU | {"ephemeral-storage": "45Gi"})),
        "job: job: asks for 1 vCPUs, 46080 MiB of disk, 1024 MiB of memory, more than is left on",
    ),
    (
        "request-fits-node",
        job(
            nodeSelector={"eksml.dev/pool": "burst"},
            tolerations=[TOLERATION],
            container=asking(**CPU | {"ephemeral-storage": "4Ti"}),
        ),
        "job: job: asks for 1 vCPUs, 4194304 MiB of disk, 1024 MiB of memory, more than is left on",
    ),
    (
        "workload-has-nodes",
        change(DIRECTORY, "training-operator", "patches/2/spec/template/spec/nodeSelector", {"disk": "ssd"}),
        "eksml-production-training-operator: training-operator: no pool has the labels",
    ),
    (
        "request-fits-node",
        change(DIRECTORY, "mpi-operator", "patches/1/spec/template/spec/containers/0/resources/requests/cpu", "5"),
        "eksml-production-mpi-operator: mpi-operator: asks for 5 vCPUs",
    ),
    (
        "request-fits-node",
        job(container=asking(cpu="4", memory="1Gi")),
        "job: job: asks for 4 vCPUs, 1024 MiB of memory, more than is left on any of m7i.xlarge",
    ),
    (
        "request-fits-node",
        job(tolerations=[TOLERATION], container=asking(**GPU | {"nvidia.com/gpu": "8"})),
        "job: job: asks for 1024 MiB of memory, 8 nvidia.com/gpu, more than is left on any of",
    ),
    (
        "daemon-set-on-gpu-nodes",
        change(RELEASE, "gpus-dcgm-exporter", "values/tolerations", None),
        "eksml-production-gpus-dcgm-exporter: dcgm-exporter: runs on GPU nodes, but does not tolerate",
    ),
    (
        "daemon-set-on-gpu-nodes",
        change("aws:eks/addon:Addon", "eks-node-monitoring-agent", "configurationValues", None),
        "eksml-production-eks-node-monitoring-agent: dcgm-server: runs on GPU nodes, but does not tolerate",
    ),
    (
        "daemon-set-on-gpu-nodes",
        change(DIRECTORY, "training-operator", "patches/2/spec/template/spec/tolerations", [TOLERATION]),
        "eksml-production-training-operator: training-operator: needs no GPU, but tolerates",
    ),
    ("daemon-set-on-gpu-nodes", add(DAEMON_SET, "logs", AGENT), "logs: logs: needs no GPU"),
    (
        "gpu-pool-tainted",
        change(NODE_POOL, "serve", "spec/template/spec/taints", None),
        "eksml-production-serve: has GPUs",
    ),
    (
        "gpu-pool-tainted",
        change("aws:eks/nodeGroup:NodeGroup", "train", "taints", []),
        "eksml-production-train: has GPUs (g6.12xlarge) and no taint",
    ),
    ("elastic-pool-limited", change(NODE_POOL, "serve", "spec/limits", None), "eksml-production-serve: has no limit"),
    (
        "elastic-pool-limited",
        change(NODE_POOL, "serve", "spec/limits", {"cpu": 10}),
        "eksml-production-serve: has no limit of nvidia.com/gpu",
    ),
    ("requests-and-limits", job(container={"resources": {}}), "job: job: container main has no requests and no limits"),
    (
        "requests-and-limits",
        job(initContainers=[{"name": "proxy", "image": "busybox:1.37", "restartPolicy": "Always"}]),
        "job: job: container proxy has no requests and no limits",
    ),
    (
        "requests-and-limits",
        change(DIRECTORY, "mpi-operator", "patches/1/spec/template/spec/containers/0/resources/limits", {"cpu": "1"}),
        "eksml-production-mpi-operator: mpi-operator: container mpi-operator has no limits",
    ),
    (
        "requests-and-limits",
        change(RELEASE, "gpus-nvidia-device-plugin", "values/resources", {"limits": {"memory": "1Gi"}}),
        "eksml-production-gpus-nvidia-device-plugin: gpu-feature-discovery: container gpu-feature-discovery has no req",
    ),
]


@each_of(FAULTS)
def test_a_planted_fault_is_found(check: str, fault: Fault, text: str) -> None:
    expect_found(check, fault, text)


@pytest.mark.parametrize(
    "right",
    [
        job(nodeSelector={"topology.kubernetes.io/zone": "us-west-2a"}),
        job(nodeSelector=SPOT, tolerations=[TOLERATION]),
        job(nodeSelector={"eks.amazonaws.com/capacityType": "ON_DEMAND"}),
        job(container={"image": "example.com/a@sha256:0000"}),
        job(container={"image": "example.com/latest/a:1.0-mainline"}),
        job(affinity=by_name("NotIn")),
        job(container=asking(**CPU | {"ephemeral-storage": "40Gi"})),
    ],
)
def test_what_only_looks_wrong_is_not_found(right: Fault) -> None:
    assert run_checks(planted(right)).findings == ()


@pytest.mark.parametrize(
    ("tolerations", "selector", "is_found"),
    [
        ([TOLERATION], {}, True),
        ([{"operator": "Exists"}], {}, False),
        ([{"operator": "Exists", "effect": "NoSchedule"}], {}, False),
        ([TOLERATION], {"nvidia.com/gpu.present": "true"}, False),
        ([], {}, False),
    ],
    ids=["names the taint", "is on every node", "is on every node until evicted", "chooses GPU nodes", "keeps off"],
)
def test_an_agent_of_every_node_may_run_on_gpu_nodes_too(
    tolerations: list[dict[str, Any]], selector: dict[str, str], is_found: bool
) -> None:
    agent = deepcopy(AGENT)
    agent["spec"]["template"]["spec"] |= {"tolerations": tolerations, "nodeSelector": selector}
    lines = found(planted(add(DAEMON_SET, "logs", agent)), "daemon-set-on-gpu-nodes")
    assert bool(lines) is is_found


def test_a_job_in_a_queue_needs_no_toleration_of_its_own() -> None:
    right = job(metadata=IN_TRAINING, container=asking(**GPU))
    assert found(planted(right), "workload-has-nodes") == []


def test_what_runs_before_the_containers_counts_too() -> None:
    large = {"name": "first", "image": "busybox:1.37", "resources": {"requests": {"cpu": "500", "memory": "1Pi"}}}
    (line,) = found(planted(job(initContainers=[large])), "request-fits-node")
    assert line.startswith("job: job: asks for 500 vCPUs, 1073741824 MiB of memory")
