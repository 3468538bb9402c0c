"""Alerts: what is told, to whom, and how: rules for Prometheus, and the receivers of Alertmanager."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Literal

import pulumi
import pulumi_kubernetes as k8s
from pydantic import Field

from eksml import names
from eksml.component import Component
from eksml.config_keys import described
from eksml.controllers import affinity, resources
from eksml.errors import Problem, SpecError, listed, nearest, repetitions
from eksml.observability.alert_rules import rule_objects
from eksml.observability.objectives import MeasuredServer, ServerObjective, objective_rules
from eksml.spec import EmailAddress, HttpsUrl, PositiveCount, ServerName, Spec, pattern

Severity = Literal["critical", "warning"]
SEVERITIES: tuple[Severity, ...] = ("critical", "warning")

_SECRET = "alertmanager-receivers"
# Where the operator mounts the Secrets that it is told of.
_FOLDER = f"/etc/alertmanager/secrets/{_SECRET}"
_PODS = {"app.kubernetes.io/name": "alertmanager"}
_TITLE = "[{{ .Status | toUpper }}] {{ .CommonLabels.alertname }}"
_TEXT = """\
{{ range .Alerts }}*{{ .Annotations.summary }}*
{{ .Annotations.description }}{{ with .Labels.owner }}
Owner: {{ . }}{{ end }}
{{ .Annotations.runbook_url }}
{{ end }}"""


class SlackReceiver(Spec):
    """A channel of Slack, by an incoming webhook: the secret slackWebhookUrl."""

    kind: Literal["slack"]
    channel: Annotated[str, pattern(r"^[#@][^\s]{1,80}$", "a channel of Slack, such as #platform")]
    """The channel. A webhook of a Slack app posts to the channel that it was made for, whatever stands here."""
    severities: tuple[Severity, ...] = SEVERITIES
    """What it is told: critical, warning or both."""

    def configuration(self) -> dict[str, Any]:
        """What Alertmanager is told of it."""
        return {
            "api_url_file": f"{_FOLDER}/slackWebhookUrl",
            "channel": self.channel,
            "send_resolved": True,
            "title": _TITLE,
            "text": _TEXT,
        }


class PagerDutyReceiver(Spec):
    """A service of PagerDuty, by its integration key: the secret pagerDutyRoutingKey."""

    kind: Literal["pagerDuty"]
    severities: tuple[Severity, ...] = ("critical",)
    """What it is told: critical, warning or both."""

    def configuration(self) -> dict[str, Any]:
        """What Alertmanager is told of it."""
        return {
            "routing_key_file": f"{_FOLDER}/pagerDutyRoutingKey",
            "description": "{{ .CommonLabels.alertname }}: {{ (index .Alerts 0).Annotations.summary }}",
            "severity": "{{ .CommonLabels.severity }}",
            "details": {
                "owner": "{{ .CommonLabels.owner }}",
                "runbook": "{{ .CommonAnnotations.runbook_url }}",
                "summary": "{{ range .Alerts }}{{ .Annotations.summary }}\n{{ end }}",
            },
        }


class EmailReceiver(Spec):
    """Mail, by a server with TLS: the secret smtpPassword."""

    kind: Literal["email"]
    to: tuple[EmailAddress, ...] = Field(min_length=1)
    """Who gets it."""
    sender: EmailAddress = Field(alias="from")
    """Whom it comes from."""
    smtp_host: Annotated[
        str,
        pattern(r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?:\d{1,5}$", "a mail server and its port, smtp.example.com:587"),
    ]
    """The mail server, with the port for STARTTLS."""
    user_name: str | None = None
    """The name to sign in with; by default the address that mail comes from."""
    severities: tuple[Severity, ...] = SEVERITIES
    """What it is told: critical, warning or both."""

    def configuration(self, to: str | None = None) -> dict[str, Any]:
        """What Alertmanager is told of it, for its own addresses or another one."""
        return {
            "to": to or ", ".join(self.to),
            "from": self.sender,
            "smarthost": self.smtp_host,
            "auth_username": self.user_name or self.sender,
            "auth_password_file": f"{_FOLDER}/smtpPassword",
            "require_tls": True,
            "send_resolved": True,
        }


Receiver = Annotated[SlackReceiver | PagerDutyReceiver | EmailReceiver, Field(discriminator="kind")]

_SECRETS = {"slack": "slackWebhookUrl", "pagerDuty": "pagerDutyRoutingKey", "email": "smtpPassword"}
# What Alertmanager calls them.
_FIELDS = {"slack": "slack_configs", "pagerDuty": "pagerduty_configs", "email": "email_configs"}


class AlertsSpec(Spec):
    """Who is told of what: receivers, and what model servers promise."""

    receivers: tuple[Receiver, ...] = ()
    """Who is told, each by its kind: slack, pagerDuty, email."""
    repeat_hours: PositiveCount = 12
    """Hours after which an alert that still holds is told again."""
    replicas: PositiveCount = 1
    """Pods of Alertmanager; of several each alert still comes once."""
    objectives: dict[ServerName, ServerObjective] = Field(default_factory=dict)
    """What model servers promise, by the server's name; without an entry, that one request in a hundred may fail."""
    runbooks_url: HttpsUrl = names.RUNBOOKS_URL
    """Address of the folder with the runbooks, to which every alert leads; without a / at its end."""

    def rules(self) -> Iterator[Problem]:
        """Whatever is worth an alert reaches somebody."""
        if not self.receivers:
            yield Problem(("receivers",), "empty: an alert that nobody gets is none; give a slack, pagerDuty or email")
            return
        for severity in SEVERITIES:
            if not any(severity in receiver.severities for receiver in self.receivers):
                yield Problem(("receivers",), f"none takes {severity}: name it in the severities of one of them")
        for index, receiver in enumerate(self.receivers):
            path = ("receivers", index, "severities")
            if not receiver.severities:
                yield Problem(path, f"empty: needs {listed(SEVERITIES)}")
            yield from repetitions(path, receiver.severities)

    @property
    def secrets_needed(self) -> dict[str, str]:
        """By name, the secrets that its receivers need, and what each of them is."""
        return described(*(_SECRETS[receiver.kind] for receiver in self.receivers))

    @property
    def email(self) -> EmailReceiver | None:
        """The first receiver by mail."""
        return next((receiver for receiver in self.receivers if isinstance(receiver, EmailReceiver)), None)


class Alerts(Component):
    """PrometheusRules for all that a platform can judge, and what its Alertmanager needs beside its own values.

    It comes after the definitions of Prometheus's operator, and stands in the namespace of Prometheus.

    Arguments:
        spec: who is told.
        secrets: by name, what `spec.secrets_needed` names.
        exporters: the catalog's names of the exporters that Prometheus reads; what they do not measure is not judged.
        servers: by name, the model servers that are measured.
        owners: by team, who is told of what is about it.
    """

    def __init__(
        self,
        name: str,
        spec: AlertsSpec,
        *,
        secrets: Mapping[str, pulumi.Input[str]],
        exporters: Collection[str],
        servers: Mapping[str, MeasuredServer] | None = None,
        owners: Mapping[str, str | None] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:observability:Alerts", name, spec, opts)
        if missing := [f"{key}, the {what}" for key, what in spec.secrets_needed.items() if key not in secrets]:
            raise SpecError([Problem(("secrets",), f"missing: {text}") for text in missing])
        values = {key: pulumi.Output.secret(secrets[key]) for key in spec.secrets_needed}
        k8s.core.v1.Secret(
            f"{name}-receivers",
            metadata={"name": _SECRET, "namespace": names.OBSERVABILITY_NAMESPACE},
            string_data=values,
            opts=self.child(),
        )
        self._network_policy()
        recorded = objective_rules(servers or {}, spec.objectives)
        for each in rule_objects(exporters, recorded, owners=owners or {}, runbooks_url=spec.runbooks_url):
            k8s.apiextensions.CustomResource(
                f"{name}-{each.name}",
                api_version=each.api_version,
                kind=each.kind,
                metadata={"name": each.name, "namespace": names.OBSERVABILITY_NAMESPACE},
                spec=each.body["spec"],
                opts=self.child(),
            )
        self.register_outputs({})

    def _network_policy(self) -> None:
        # Whoever reaches it can silence alerts: it has no sign-in of its own.
        neighbours: Any = [{"from_": [{"pod_selector": {}}]}]
        k8s.networking.v1.NetworkPolicy(
            f"{self.resource_name}-alertmanager",
            metadata={"name": "alertmanager", "namespace": names.OBSERVABILITY_NAMESPACE},
            spec={"pod_selector": {"match_labels": _PODS}, "policy_types": ["Ingress"], "ingress": neighbours},
            opts=self.child(),
        )


def alertmanager_values(spec: AlertsSpec, storage_class: str, owners: Mapping[str, str | None]) -> dict[str, Any]:
    """What the chart of Prometheus is told of Alertmanager.

    Arguments:
        spec: who is told.
        storage_class: of the volume that keeps silences.
        owners: by team, who is told of what is about it.
    """
    claim = {
        "storageClassName": storage_class,
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    }
    return {
        "enabled": True,
        "config": alertmanager_configuration(spec, owners),
        "podDisruptionBudget": {"enabled": spec.replicas > 1, "minAvailable": 1},
        "alertmanagerSpec": {
            "replicas": spec.replicas,
            "secrets": [_SECRET],
            "storage": {"volumeClaimTemplate": {"spec": claim}},
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"},
            "affinity": affinity(_PODS),
            # The chart would write one of its own beside ours.
            "podAntiAffinity": "",
            "resources": resources("10m", "64Mi", "256Mi"),
        },
    }


def alertmanager_configuration(spec: AlertsSpec, owners: Mapping[str, str | None]) -> dict[str, Any]:
    """Alertmanager's own file: severities lead to receivers, and the owners of teams get theirs by mail."""
    email = spec.email
    mails = {team: email.configuration(owner) for team, owner in owners.items() if email and owner and "@" in owner}
    owned = [{"matchers": [f'team="{team}"'], "receiver": f"team-{team}", "continue": True} for team in mails]
    return {
        "global": {"resolve_timeout": "5m"},
        "route": {
            "receiver": "warning",
            "group_by": ["alertname", "namespace", "node"],
            "group_wait": "30s",
            "group_interval": "5m",
            "repeat_interval": f"{spec.repeat_hours}h",
            "routes": [
                {"matchers": ['severity="none"'], "receiver": "nobody"},
                *owned,
                *({"matchers": [f'severity="{severity}"'], "receiver": severity} for severity in SEVERITIES),
            ],
        },
        "inhibit_rules": [*_inhibitions()],
        "receivers": [
            {"name": "nobody"},
            *(_receiver(spec, severity) for severity in SEVERITIES),
            *({"name": f"team-{team}", "email_configs": [mail]} for team, mail in mails.items()),
        ],
    }


def owner_problems(owners: Mapping[str, str | None]) -> Iterator[Problem]:
    """Whether somebody is named for each team, where there are alerts; paths are those of a platform."""
    for team, owner in owners.items():
        if owner is None:
            text = "missing: alerts about its pods name somebody: a mail address, which is told too, or a channel"
            yield Problem(("teams", team, "owner"), text, ("observability", "alerts"))


def objective_problems(spec: AlertsSpec, servers: Mapping[str, MeasuredServer]) -> Iterator[Problem]:
    """Whether what is promised is of servers that are measured; paths are those of a platform."""
    for server in spec.objectives:
        if server not in servers:
            path = ("observability", "alerts", "objectives", server)
            yield Problem(path, f"no server of that name is measured{nearest(server, servers)}", ("servers", server))


def _receiver(spec: AlertsSpec, severity: Severity) -> dict[str, Any]:
    configurations: dict[str, Any] = {"name": severity}
    for receiver in spec.receivers:
        if severity in receiver.severities:
            configurations.setdefault(_FIELDS[receiver.kind], []).append(receiver.configuration())
    return configurations


def _inhibitions() -> Iterator[dict[str, Any]]:
    """What says no more than another alert that holds at the same time."""
    yield {
        "source_matchers": ['severity="critical"'],
        "target_matchers": ['severity="warning"'],
        "equal": ["alertname", "namespace", "node", "server", "name"],
    }
    for alert, others, equal in (
        ("GpuFellOff", "GpuUnhealthy|GpuXidError|GpuIdle", "node"),
        ("MlflowDown", "MlflowDatabaseDown|TargetDown|PodRestarting", "namespace"),
    ):
        yield {
            "source_matchers": [f'alertname="{alert}"', 'severity="critical"'],
            "target_matchers": [f'alertname=~"{others}"'],
            "equal": [equal],
        }
