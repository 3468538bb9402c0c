"""Alertmanager: who is told of what, and that no secret stands where it does not belong."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest
import yaml

from eksml import config_keys, names
from eksml.catalog import exporters
from eksml.errors import SpecError
from eksml.observability.alerts import (
    Alerts,
    AlertsSpec,
    alertmanager_configuration,
    objective_problems,
    owner_problems,
)
from eksml.observability.objectives import MeasuredServer, ServerObjective
from eksml.observability.observability import Observability, ObservabilitySpec
from eksml.plan import Plan
from eksml.plan.as_json import as_json
from eksml.plan.manifests import objects
from eksml.spec import parse
from parts import need_program
from programs import needs, one, recorded
from refusals import check_problems, problems

SECRET = "kubernetes:core/v1:Secret"
RELEASE = "kubernetes:helm.sh/v3:Release"
RULES = "kubernetes:monitoring.coreos.com/v1:PrometheusRule"
SLACK = {"kind": "slack", "channel": "#platform"}
PAGER_DUTY = {"kind": "pagerDuty"}
EMAIL = {"kind": "email", "to": ["ops@example.com"], "from": "eksml@example.com", "smtpHost": "smtp.example.com:587"}
ALL = {"receivers": [SLACK, PAGER_DUTY, EMAIL]}
SECRETS = {
    "slackWebhookUrl": "https://hooks.example.com/not-for-the-plan",
    "pagerDutyRoutingKey": "not-for-the-plan-either",
    "smtpPassword": "nor-is-this",
}
OWNERS = {"ml": "#ml", "vision": "vision@example.com"}


def alerts(**settings: Any) -> AlertsSpec:
    return parse(AlertsSpec, settings or ALL)


def platform(settings: dict[str, Any] | None = None, **arguments: Any) -> Plan:
    spec = parse(ObservabilitySpec, {"prometheus": {}, "alerts": settings or ALL})
    about: dict[str, Any] = {"owners": OWNERS, **arguments}

    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        Observability(
            "lab",
            spec,
            secrets=SECRETS,
            **about,
            opts=pulumi.ResourceOptions(providers=[provider]),
        )

    return recorded(program)


def configuration(settings: dict[str, Any] | None = None, owners: dict[str, str | None] | None = None) -> Any:
    return alertmanager_configuration(alerts(**(settings or ALL)), OWNERS if owners is None else owners)


def receiver(found: Any, name: str) -> Any:
    (each,) = (each for each in found["receivers"] if each["name"] == name)
    return each


def amtool(folder: Path, *arguments: str) -> str:
    command = [need_program("amtool", "prometheus-alertmanager"), *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.parametrize("receivers", [[SLACK], [PAGER_DUTY, SLACK], [EMAIL], [SLACK, PAGER_DUTY, EMAIL]])
def test_alertmanager_takes_its_configuration(receivers: list[Any], tmp_path: Path) -> None:
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(configuration({"receivers": receivers})))
    amtool(tmp_path, "check-config", "alertmanager.yml")


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ("severity=critical", "critical"),
        ("severity=warning", "warning"),
        ("severity=none alertname=Watchdog", "nobody"),
        ("severity=warning team=vision", "team-vision,warning"),
        ("severity=critical team=vision", "team-vision,critical"),
        ("severity=warning team=ml", "warning"),
        ("severity=warning team=platform", "warning"),
    ],
)
def test_severities_lead_to_receivers_and_owners_get_theirs_by_mail(
    labels: str, receivers: str, tmp_path: Path
) -> None:
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(configuration()))
    found = amtool(tmp_path, "config", "routes", "test", "--config.file=alertmanager.yml", *labels.split())
    assert found.strip() == receivers


def test_what_is_critical_pages_and_a_warning_does_not() -> None:
    found = configuration()
    assert {"pagerduty_configs", "slack_configs", "email_configs"} < set(receiver(found, "critical"))
    assert "pagerduty_configs" not in receiver(found, "warning")
    assert receiver(found, "team-vision")["email_configs"][0]["to"] == "vision@example.com"
    assert set(receiver(found, "nobody")) == {"name"}


def test_without_a_receiver_by_mail_an_owner_is_named_in_the_message() -> None:
    found = configuration({"receivers": [SLACK]})
    assert [each["name"] for each in found["receivers"]] == ["nobody", "critical", "warning"]
    assert ".Labels.owner" in receiver(found, "warning")["slack_configs"][0]["text"]


def test_the_same_thing_is_not_told_twice() -> None:
    found = configuration()
    assert found["inhibit_rules"][0]["source_matchers"] == ['severity="critical"']
    assert "alertname" in found["inhibit_rules"][0]["equal"]
    assert found["route"]["repeat_interval"] == "12h"
    told = {alert for rule in found["inhibit_rules"] for matcher in rule["source_matchers"] for alert in [matcher]}
    assert 'alertname="GpuFellOff"' in told


def test_secrets_are_in_one_secret_that_alertmanager_mounts_and_nowhere_else() -> None:
    plan = platform()
    secret = one(plan, SECRET)
    assert secret.inputs["data"] == "[secret]"
    values = one(plan, RELEASE).inputs["values"]["alertmanager"]
    assert values["alertmanagerSpec"]["secrets"] == [secret.inputs["metadata"]["name"]]
    text = json.dumps([as_json(plan, []), objects(plan)], default=str)
    assert not [value for value in SECRETS.values() if value in text]
    assert not [value for value in SECRETS.values() if value in str(one(plan, RELEASE).inputs)]


def test_alertmanager_reads_each_secret_that_is_needed_from_its_file() -> None:
    folder = "/etc/alertmanager/secrets/alertmanager-receivers/"
    found = set(re.findall(rf"{folder}(\w+)", str(configuration())))
    assert found == set(alerts().secrets_needed) == set(SECRETS)
    assert folder.split("/")[4] == one(platform(), SECRET).inputs["metadata"]["name"]
    assert {f"eksml:{key}" for key in SECRETS} <= set(config_keys.SECRETS)


@pytest.mark.parametrize(
    ("kind", "key"), [(SLACK, "slackWebhookUrl"), (EMAIL, "smtpPassword"), (PAGER_DUTY, "pagerDutyRoutingKey")]
)
def test_a_receiver_needs_its_secret(kind: dict[str, Any], key: str) -> None:
    spec = alerts(receivers=[{**kind, "severities": ["critical", "warning"]}])
    assert set(spec.secrets_needed) == {key}
    with pytest.raises(SpecError, match=f"secrets: missing: {key}, the "):
        Alerts("lab", spec, secrets={}, exporters=[])


def test_it_works_alone_with_nothing_but_the_kinds_of_its_rules() -> None:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        opts = pulumi.ResourceOptions(providers=[provider])
        Alerts("lab", alerts(receivers=[SLACK]), secrets=SECRETS, exporters=["prometheus"], opts=opts)

    plan = recorded(program)
    assert [each.inputs["metadata"]["name"] for each in plan.of_type(RULES)] == ["eksml-prometheus"]


def test_rules_come_after_their_kind_and_each_platform_has_those_that_it_can_judge() -> None:
    plan = platform(
        exporters=["dcgm", "kueue", "vllm"], servers={"chat": MeasuredServer("vision", "vllm")}, owners=OWNERS
    )
    found = {each.inputs["metadata"]["name"]: each for each in plan.of_type(RULES)}
    assert set(found) == {
        f"eksml-{name}" for name in ("gpus", "jobs", "queues", "servers", "server-objectives", "prometheus")
    }
    assert all(each.inputs["metadata"]["namespace"] == names.OBSERVABILITY_NAMESPACE for each in found.values())
    definitions = one(plan, "kubernetes:kustomize/v2:Directory").urn
    assert all(definitions in needs(plan, each) for each in found.values())


def test_alertmanager_keeps_silences_and_off_gpu_nodes_and_of_two_one_stays() -> None:
    found = one(platform({**ALL, "replicas": 2}), RELEASE).inputs["values"]["alertmanager"]
    assert found["podDisruptionBudget"]["enabled"] is True
    spec = found["alertmanagerSpec"]
    assert spec["replicas"] == 2
    assert spec["storage"]["volumeClaimTemplate"]["spec"]["storageClassName"] == "gp3"
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Delete"}
    assert "DoesNotExist" in str(spec["affinity"])
    assert {"requests", "limits"} <= set(spec["resources"])


def test_only_pods_beside_it_reach_alertmanager() -> None:
    policy = one(platform(), "kubernetes:networking.k8s.io/v1:NetworkPolicy", "lab-alerts-alertmanager").inputs["spec"]
    assert policy["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "alertmanager"}}
    assert policy["ingress"] == [{"from": [{"podSelector": {}}]}]


def test_controllers_are_read_by_monitors_of_the_platform() -> None:
    plan = platform(exporters=["karpenter", "certManager"])
    found = [
        each
        for kind in ("ServiceMonitor", "PodMonitor")
        for each in plan.of_type(f"kubernetes:monitoring.coreos.com/v1:{kind}")
    ]
    assert {each.inputs["metadata"]["name"]: each.inputs["spec"]["namespaceSelector"] for each in found} == {
        "karpenter": {"matchNames": ["kube-system"]},
        "cert-manager": {"matchNames": ["cert-manager"]},
    }
    assert {"karpenter", "certManager"} <= set(exporters())


def test_bad_alerts_are_refused_all_at_once() -> None:
    check_problems(problems(AlertsSpec, {}), ["receivers: empty: an alert that nobody gets is none"])
    check_problems(problems(AlertsSpec, {"receivers": [PAGER_DUTY]}), ["receivers: none takes warning"])
    check_problems(
        problems(AlertsSpec, {"receivers": [{**EMAIL, "to": []}, SLACK]}), ["receivers[0].to: empty, needs at least 1"]
    )
    check_problems(
        problems(AlertsSpec, {"receivers": [{"kind": "slack", "channel": "platform"}, {**EMAIL, "smtpHost": "mail"}]}),
        ["receivers[0].channel: 'platform' given", "receivers[1].smtpHost: 'mail' given"],
    )
    check_problems(
        problems(AlertsSpec, {"receivers": [SLACK], "objectives": {"chat": {"successRate": 0.5}}}),
        ["objectives.chat.successRate: 0.5 given, must be"],
    )
    check_problems(
        problems(ObservabilitySpec, {"alerts": ALL}), ["alerts: given, but they judge what Prometheus measures"]
    )


def test_a_team_without_an_owner_is_a_problem_where_there_are_alerts() -> None:
    (problem,) = owner_problems({"ml": "#ml", "vision": None})
    assert str(problem).startswith("teams.vision.owner: missing: alerts about its pods name somebody")
    assert not list(owner_problems(OWNERS))


def test_what_is_promised_is_of_a_server_that_is_measured() -> None:
    spec = AlertsSpec(
        receivers=alerts().receivers, objectives={"chat": ServerObjective(latency_ms=500), "chatt": ServerObjective()}
    )
    (problem,) = objective_problems(spec, {"chat": MeasuredServer("vision", "vllm")})
    assert str(problem) == (
        "observability.alerts.objectives.chatt: no server of that name is measured, did you mean 'chat'?"
    )
