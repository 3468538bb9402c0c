"""What nodes and teams cost, as Prometheus computes it: promtool runs the rules over series that are made up."""

import subprocess
from pathlib import Path
from typing import Any

import yaml

from eksml.catalog import instance_types
from eksml.observability.costs import cost_rules, prices
from parts import need_program

TYPES = ["g6.12xlarge", "m7i.xlarge"]
GPU_NODE = instance_types()["g6.12xlarge"].on_demand_usd_per_hour["us-west-2"].usd or 0
CPU_NODE = instance_types()["m7i.xlarge"].on_demand_usd_per_hour["us-west-2"].usd or 0


def series(name: str, value: float = 1, **labels: str) -> dict[str, str]:
    matchers = ",".join(f'{label}="{text}"' for label, text in labels.items())
    return {"series": f"{name}{{{matchers}}}", "values": f"{value}x10"}


def node(name: str, instance_type: str, pool: str, gpus: int, **labels: str) -> list[dict[str, str]]:
    of_the_node = {"label_eksml_dev_pool": pool, "label_node_kubernetes_io_instance_type": instance_type, **labels}
    resources = {"cpu": 4.0, **({"nvidia_com_gpu": float(gpus)} if gpus else {})}
    allocatable = [
        series("kube_node_status_allocatable", amount, node=name, resource=each) for each, amount in resources.items()
    ]
    temperatures = [series("DCGM_FI_DEV_GPU_TEMP", 40, node=name, gpu=str(gpu)) for gpu in range(gpus)]
    return [series("kube_node_labels", 1, node=name, **of_the_node), *allocatable, *temperatures]


def pod(name: str, namespace: str, node: str, phase: str = "Running", **resources: float) -> list[dict[str, str]]:
    asked = [
        series(
            "kube_pod_container_resource_requests",
            amount,
            namespace=namespace,
            pod=name,
            node=node,
            container="main",
            resource=each,
        )
        for each, amount in resources.items()
    ]
    return [*asked, series("kube_pod_status_phase", 1, namespace=namespace, pod=name, phase=phase)]


CLUSTER = [
    *node("gpu-0", "g6.12xlarge", "train", 4, label_karpenter_sh_capacity_type="spot"),
    *node("cpu-0", "m7i.xlarge", "system", 0, label_eks_amazonaws_com_capacity_type="ON_DEMAND"),
    *node("odd-0", "x9.mega", "odd", 0),
    *pod("job-0", "vision", "gpu-0", nvidia_com_gpu=2, cpu=1),
    *pod("job-1", "vision", "gpu-0", phase="Succeeded", nvidia_com_gpu=2, cpu=1),
    *pod("coredns", "kube-system", "cpu-0", cpu=1),
    series("kube_namespace_labels", 1, namespace="vision", label_eksml_dev_team="vision"),
    series("kube_namespace_labels", 1, namespace="kube-system"),
]


def has_values(folder: Path, expected: dict[str, list[tuple[str, float]]]) -> None:
    rules: Any = cost_rules("us-west-2", TYPES, has_gpus=True).body["spec"]
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
    checks = [
        {
            "expr": f"round({expression}, 0.0001)",
            "eval_time": "8m",
            "exp_samples": [{"labels": labels, "value": round(value, 4)} for labels, value in samples],
        }
        for expression, samples in expected.items()
    ]
    test = {"interval": "1m", "input_series": CLUSTER, "promql_expr_test": checks}
    (folder / "test.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": [test]}))
    command = [need_program("promtool", "prometheus"), "test", "rules", "test.yaml"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_node_costs_what_its_type_costs_and_says_whose_capacity_it_is(tmp_path: Path) -> None:
    train = '{node="gpu-0", pool="train", instance_type="g6.12xlarge", capacity_type="spot"}'
    system = '{node="cpu-0", pool="system", instance_type="m7i.xlarge", capacity_type="on-demand"}'
    has_values(
        tmp_path,
        {
            "eksml:node_usd_per_hour": [(train, GPU_NODE), (system, CPU_NODE)],
            "eksml:gpu_usd_per_hour": [('{node="gpu-0"}', GPU_NODE / 4)],
        },
    )


def test_a_team_pays_for_the_gpus_that_its_running_pods_ask_for_and_the_platform_for_its_processors(
    tmp_path: Path,
) -> None:
    has_values(
        tmp_path,
        {
            "eksml:team_usd_per_hour": [
                ('{team="vision", pool="train"}', GPU_NODE / 2),
                ('{team="platform", pool="system"}', CPU_NODE / 4),
            ]
        },
    )


def test_what_nobody_asks_for_is_idle_and_nothing_is_lost(tmp_path: Path) -> None:
    has_values(
        tmp_path,
        {
            "sum by (node) (eksml:node_idle_usd_per_hour)": [
                ('{node="gpu-0"}', GPU_NODE / 2),
                ('{node="cpu-0"}', CPU_NODE * 3 / 4),
            ],
            "sum(eksml:node_usd_per_hour) - sum(eksml:node_idle_usd_per_hour) - sum(eksml:team_usd_per_hour)": [
                ("{}", 0)
            ],
        },
    )


def test_a_type_without_a_known_price_has_no_series_rather_than_a_guess() -> None:
    known = {rule["labels"]["instance_type"] for rule in prices("us-west-2", instance_types())}
    assert known == {
        name
        for name, fact in instance_types().items()
        if (price := fact.on_demand_usd_per_hour.get("us-west-2")) and price.usd is not None
    }
    assert prices("nowhere-1", TYPES) == []
