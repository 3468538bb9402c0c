"""A dashboard shows what somebody measures."""

import json

from checks.faults import RELEASE, Fault, Planted, add, both, change, each_of, expect_found, found, planted


def dashboard(query: str) -> Fault:
    """A dashboard with one query."""
    text = json.dumps({"panels": [{"targets": [{"expr": query}]}]})
    metadata = {"name": "mine", "namespace": "observability", "labels": {"grafana_dashboard": "1"}}
    return add("kubernetes:core/v1:ConfigMap", "mine", {"metadata": metadata, "data": {"mine.json": text}})


FAULTS: list[Planted] = [
    (
        "dashboard-measured",
        dashboard("avg(DCGM_FI_DEV_GPU_UTILS)"),
        "mine: shows DCGM_FI_DEV_GPU_UTILS, which nothing in the catalog exports, did you mean 'DCGM_FI_DEV_GPU_UTIL'?",
    ),
    (
        "dashboard-measured",
        both(
            change(RELEASE, "kueue-kueue", "values/enablePrometheus", None),
            dashboard("sum(kueue_pending_workloads)"),
        ),
        "mine: shows kueue_pending_workloads of Kueue, which nothing on this platform measures",
    ),
]


@each_of(FAULTS)
def test_a_planted_fault_is_found(check: str, fault: Fault, text: str) -> None:
    expect_found(check, fault, text)


def test_a_dashboard_may_show_a_model_server_that_comes_later_and_what_the_platform_measures() -> None:
    for query in ("sum(vllm:num_requests_waiting)", "avg(DCGM_FI_DEV_GPU_UTIL)", "count(kube_node_info)"):
        assert found(planted(dashboard(query)), "dashboard-measured") == []
