"""What rules ask for is measured. The scalers of model servers are in `test_servers`."""

from checks.faults import Fault, Planted, add, each_of, expect_found, found, planted


def rule(query: str, *others: dict[str, str]) -> Fault:
    """A rule of Prometheus, and others beside it."""
    groups = [{"name": "mine", "rules": [{"alert": "Mine", "expr": query}, *others]}]
    inputs = {"kind": "PrometheusRule", "metadata": {"name": "mine"}, "spec": {"groups": groups}}
    return add("kubernetes:monitoring.coreos.com/v1:PrometheusRule", "mine", inputs)


FAULTS: list[Planted] = [
    (
        "metric-exported",
        rule("kube_pod_status_unschedulabel > 0"),
        "mine: asks for kube_pod_status_unschedulabel, which nothing on this platform exports, did you mean",
    ),
    (
        "metric-exported",
        rule("certmanager_certificate_expiration_timestamp_seconds - time() < 1"),
        "mine: asks for certmanager_certificate_expiration_timestamp_seconds, which Prometheus reads from cert-manager",
    ),
]


@each_of(FAULTS)
def test_a_planted_fault_is_found(check: str, fault: Fault, text: str) -> None:
    expect_found(check, fault, text)


def test_a_rule_may_ask_for_what_the_platform_measures_and_what_another_rule_records() -> None:
    for query in ("kubelet_volume_stats_available_bytes < 1", "DCGM_FI_DEV_XID_ERRORS == 79", "up == 0", "vector(1)"):
        assert found(planted(rule(query)), "metric-exported") == []

    recorded = rule("team:gpus > 1", {"record": "team:gpus", "expr": "count(DCGM_FI_DEV_GPU_TEMP)"})
    assert found(planted(recorded), "metric-exported") == []
