"""What is promised to teams is there."""

from checks.faults import NODE_POOL, Fault, Planted, change, each_of, expect_found, take_away

FAULTS: list[Planted] = [
    (
        "quotas-fit-pools",
        change(NODE_POOL, "burst", "spec/limits", {"nvidia.com/gpu": 8}),
        "eksml-production-kueue-resourceflavor-burst: teams are promised 16 GPUs of pool burst, which holds 8",
    ),
    (
        "quotas-fit-pools",
        change("aws:eks/nodeGroup:NodeGroup", "system", "scalingConfig/desiredSize", 1),
        "eksml-production-kueue-resourceflavor-system: teams are promised 5.88 vCPUs of pool system, "
        "which holds 3920; 21244 MiB of memory of pool system, which holds",
    ),
    (
        "quotas-fit-pools",
        change(NODE_POOL, "burst", "spec/limits", {"nvidia.com/gpu": 16, "memory": "1000Gi"}),
        "eksml-production-kueue-resourceflavor-burst: teams are promised 1440628 MiB of memory of pool burst",
    ),
    (
        "quotas-fit-pools",
        take_away("kubernetes:kueue.x-k8s.io/v1beta2:ClusterQueue"),
        "eksml-production-serving-quota: all namespaces together are promised 64 GPUs, of which the pools hold 48; ",
    ),
]


@each_of(FAULTS)
def test_a_planted_fault_is_found(check: str, fault: Fault, text: str) -> None:
    expect_found(check, fault, text)
