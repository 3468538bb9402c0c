"""The rules of alerts: each fires when it should, is quiet when it should, and leads to its runbook."""

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from eksml.catalog import exporters, series_in, xid_errors
from eksml.observability.alert_rules import alert_rules, rule_objects
from eksml.observability.objectives import MeasuredServer, ServerObjective, objective_rules
from parts import need_program

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "docs" / "runbooks"
CASES = yaml.safe_load((Path(__file__).parent / "alert_cases.yaml").read_text())
EVERY = sorted(set(exporters()) - {"alertRules"})
SERVERS = {"chat": MeasuredServer("vision", "vllm"), "eyes": MeasuredServer("vision", "triton")}
OBJECTIVES = {name: ServerObjective(latency_ms=500) for name in SERVERS}
ALERTS = sorted({rule.alert for rules in alert_rules().values() for rule in rules if rule.alert})
URL = "https://runbooks.example.com"


@cache
def objects(
    *exporter_names: str, owners: tuple[tuple[str, str | None], ...] = (("ml", "#ml"), ("vision", None))
) -> Any:
    recorded = list(objective_rules(SERVERS, OBJECTIVES))
    return list(rule_objects(exporter_names or EVERY, recorded, owners=dict(owners), runbooks_url=URL))


def rules(*exporter_names: str) -> list[dict[str, Any]]:
    groups = [group for each in objects(*exporter_names) for group in each.body["spec"]["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def written(folder: Path, alert: str | None = None) -> Path:
    """The rules as a file: all of them, or the group of one alert and what servers promise."""
    groups = [group for each in objects() for group in each.body["spec"]["groups"]]
    if alert:
        recorded = ["server-objectives"] if alert.startswith("Server") else []
        of_alert = [group["name"] for group in groups if any(rule.get("alert") == alert for rule in group["rules"])]
        groups = [group for group in groups if group["name"] in (*recorded, *of_alert)]
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
    return folder


def promtool(folder: Path, *arguments: str) -> str:
    command = [need_program("promtool", "prometheus"), *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def test_promtool_takes_all_of_them(tmp_path: Path) -> None:
    found = promtool(written(tmp_path), "check", "rules", "rules.yaml")
    assert f"{len(rules())} rules found" in found


def question(alert: str, case: dict[str, Any]) -> dict[str, Any]:
    severity = case.get("severity", case["fires"])
    chosen = f',severity="{severity}"' if severity else ""
    told = [{"labels": f'{{severity="{case["fires"]}"}}', "value": 1}] if case["fires"] else []
    return {
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in case["series"].items()],
        "promql_expr_test": [
            {
                "expr": f'count by (severity) (ALERTS{{alertname="{alert}",alertstate="firing"{chosen}}})',
                "eval_time": case["at"],
                "exp_samples": told,
            }
        ],
    }


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_fires_when_it_should_and_is_quiet_when_it_should(alert: str, tmp_path: Path) -> None:
    tests = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": []}
    tests["tests"] = [question(alert, case) for case in CASES[alert]]
    (written(tmp_path, alert) / "tests.yaml").write_text(yaml.safe_dump(tests))
    promtool(tmp_path, "test", "rules", "tests.yaml")


def test_each_alert_has_a_case_for_each_severity_and_a_quiet_one() -> None:
    assert sorted(CASES) == ALERTS
    for alert, cases in CASES.items():
        severities = {rule.severity for rules in alert_rules().values() for rule in rules if rule.alert == alert}
        assert {case["fires"] for case in cases} == {*severities, None}, alert


def test_every_series_that_a_rule_reads_is_in_the_catalog() -> None:
    known = frozenset[str]().union(*(each.series for each in exporters().values()))
    for rule in rules():
        assert series_in(rule["expr"]) <= known, rule


def test_what_rules_record_is_in_the_catalog_and_nothing_else_is() -> None:
    assert {rule["record"] for rule in rules() if "record" in rule} == exporters()["alertRules"].series


def test_nothing_is_left_out_where_all_exporters_are() -> None:
    assert {rule["alert"] for rule in rules() if "alert" in rule} == set(ALERTS)


@pytest.mark.parametrize(
    ("exporter", "gone"),
    [
        ("dcgm", {"GpuFellOff", "GpuXidError", "GpuIdle"}),
        ("kueue", {"QuotaNearlyUsed"}),
        ("karpenter", {"SpotInterruptionsFrequent"}),
        ("certManager", {"CertificateExpiring"}),
        ("mlflow", {"MlflowDown", "MlflowDatabaseDown"}),
    ],
)
def test_what_nobody_measures_is_not_judged(exporter: str, gone: set[str]) -> None:
    found = {rule["alert"] for rule in rules(*(name for name in EVERY if name != exporter)) if "alert" in rule}
    assert set(ALERTS) - found == gone


def test_without_servers_nothing_is_judged_by_what_they_promise() -> None:
    found = list(rule_objects(EVERY, owners={}, runbooks_url=URL))
    assert not {"eksml-servers", "eksml-server-objectives"} & {each.name for each in found}


def test_a_rule_about_a_team_names_it_and_its_owner_and_others_name_nobody() -> None:
    told = {rule["alert"]: rule["labels"] for rule in rules() if "alert" in rule}
    team = told["PodPendingOnGpu"]["team"]
    assert team.startswith('{{ if eq $labels.namespace "ml" }}ml{{ else if eq $labels.namespace "vision" }}vision{{')
    assert team.endswith("{{ else }}platform{{ end }}")
    assert told["PodPendingOnGpu"]["owner"] == '{{ if eq $labels.namespace "ml" }}#ml{{ else }}platform{{ end }}'
    assert "$labels.cluster_queue" in told["QuotaNearlyUsed"]["team"]
    assert set(told["SpotInterruptionsFrequent"]) == {"severity"}


def test_the_templates_of_a_team_are_filled_in_and_what_is_no_teams_is_the_platforms(tmp_path: Path) -> None:
    waiting = 'kube_pod_status_unschedulable{{namespace="{0}",pod="p"}}'
    asked = 'kube_pod_container_resource_requests{{namespace="{0}",pod="p",resource="nvidia_com_gpu"}}'
    series = [each.format(name) for name in ("ml", "kube-system") for each in (waiting, asked)]
    query = 'count by (namespace, team, owner) (ALERTS{alertname="PodPendingOnGpu",alertstate="firing"})'
    found = ['{namespace="ml",team="ml",owner="#ml"}', '{namespace="kube-system",team="platform",owner="platform"}']
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": "1x30"} for name in series],
        "promql_expr_test": [
            {"expr": query, "eval_time": "20m", "exp_samples": [{"labels": labels, "value": 1} for labels in found]}
        ],
    }
    content = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    (written(tmp_path) / "tests.yaml").write_text(yaml.safe_dump(content))
    promtool(tmp_path, "test", "rules", "tests.yaml")


def test_every_alert_leads_to_its_runbook_and_every_runbook_has_its_alert() -> None:
    for rule in rules():
        if "alert" in rule:
            assert rule["annotations"]["runbook_url"] == f"{URL}/{rule['alert']}.md"
            assert {"summary", "description"} <= set(rule["annotations"])
    assert sorted(page.stem for page in RUNBOOKS.glob("*.md") if page.stem != "README") == ALERTS


def test_every_runbook_says_what_it_means_how_to_look_what_to_do_and_how_to_silence() -> None:
    for alert in ALERTS:
        text = (RUNBOOKS / f"{alert}.md").read_text()
        for heading in (f"# {alert}", "## What it means", "## How to look", "## What to do", "## How to silence"):
            assert f"{heading}\n" in text, (alert, heading)


def test_the_index_of_runbooks_has_each_with_its_severities() -> None:
    index = (RUNBOOKS / "README.md").read_text()
    for alert in ALERTS:
        severities = [rule.severity for rules in alert_rules().values() for rule in rules if rule.alert == alert]
        row = next(line for line in index.splitlines() if line.startswith(f"| [{alert}]({alert}.md) |"))
        assert all(str(severity) in row for severity in severities), row


def test_the_runbook_lists_the_errors_that_are_fatal() -> None:
    text = (RUNBOOKS / "GpuXidError.md").read_text()
    for number, meaning in xid_errors().fatal.items():
        assert f"| {number} | {meaning} |" in text


def test_a_rule_that_is_neither_a_record_nor_a_whole_alert_is_refused() -> None:
    rule = type(next(iter(alert_rules()["gpus"])))
    for fields in ({"expr": "up"}, {"expr": "up", "alert": "A"}, {"expr": "up", "record": "a", "severity": "none"}):
        with pytest.raises(ValueError, match="records a series, or is an alert"):
            rule.model_validate(fields)
