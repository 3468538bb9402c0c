"""The rules of alerts, as Prometheus takes them: which of those in the folder alerts a platform can judge."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from eksml import names
from eksml.catalog import exporters, series_in, xid_errors
from eksml.kubernetes_object import KubernetesObject
from eksml.packaged_yaml import load_yaml

Severity = Literal["critical", "warning", "none"]

_NO_TEAM = "platform"


class Rule(BaseModel):
    """One rule of a file in the folder alerts: a series that is recorded, or an alert."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    record: str | None = None
    """The name of the series; None: it is an alert."""
    alert: str | None = None
    """The name of the alert, and of its runbook."""
    expr: str
    """PromQL; of an alert, whatever it finds is told."""
    holds_for: str | None = Field(None, alias="for")
    """For how long that has to be so."""
    severity: Severity | None = None
    """critical: somebody has to do something now; warning: soon; none: nobody is told."""
    team: str | None = None
    """The label that holds the name of the team that it is about, where it is about one."""
    needs: tuple[str, ...] = ()
    """Exporters without which it is left out, beside those whose series it reads."""
    summary: str | None = None
    """What is wrong, in one line."""
    description: str | None = None
    """What exactly, in a sentence."""

    @model_validator(mode="after")
    def _is_whole(self) -> Rule:
        told = (self.alert, self.severity, self.summary, self.description)
        if (self.record is None) != all(told) or (self.record and any(told)):
            raise ValueError("it records a series, or is an alert with severity, summary and description")
        return self


@cache
def alert_rules() -> dict[str, tuple[Rule, ...]]:
    """All rules, by the name of their file."""
    folder = files("eksml.observability") / "alerts"
    return {
        file.name.removesuffix(".yaml"): tuple(
            Rule.model_validate(rule) for rule in load_yaml(_filled(file.read_text(encoding="utf-8")))["rules"]
        )
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
    }


def rule_objects(
    exporter_names: Collection[str],
    recorded: Iterable[Mapping[str, Any]] = (),
    *,
    owners: Mapping[str, str | None],
    runbooks_url: str,
) -> Iterator[KubernetesObject]:
    """PrometheusRules with all that can be judged.

    Arguments:
        exporter_names: the catalog's names of the exporters that Prometheus reads.
        recorded: further rules, which record series.
        owners: by team, which is the name of its namespace too, who is told.
        runbooks_url: the address of the folder with the runbooks.
    """
    recorded = list(recorded)
    if recorded:
        yield _object("server-objectives", recorded)
    known = {series for name in exporter_names for series in exporters()[name].series}
    known |= {rule["record"] for rule in recorded}
    for name, rules in alert_rules().items():
        kept = []
        for rule in rules:
            if series_in(rule.expr) <= known and set(rule.needs) <= set(exporter_names):
                kept.append(_rule(rule, owners, runbooks_url))
                known |= {rule.record} if rule.record else set()
        if any("alert" in rule for rule in kept):
            yield _object(name, kept)


def _filled(text: str) -> str:
    fatal = "|".join(str(number) for number in xid_errors().fatal)
    return text.replace("$fatalXids", fatal).replace("$gpuNamespace", names.GPU_NAMESPACE)


def _object(name: str, rules: list[Any]) -> KubernetesObject:
    # What counts minutes relies on the interval.
    group = {"name": name, "interval": "1m", "rules": rules}
    return KubernetesObject(
        names.MONITORING_API_VERSION, "PrometheusRule", f"eksml-{name}", {"spec": {"groups": [group]}}
    )


def _rule(rule: Rule, owners: Mapping[str, str | None], runbooks_url: str) -> dict[str, Any]:
    if rule.record:
        return {"record": rule.record, "expr": rule.expr}
    annotations = {"summary": rule.summary, "description": rule.description}
    return {
        "alert": rule.alert,
        "expr": rule.expr,
        **({"for": rule.holds_for} if rule.holds_for else {}),
        "labels": {"severity": rule.severity, **(_team_labels(rule.team, owners) if rule.team else {})},
        "annotations": {**annotations, "runbook_url": f"{runbooks_url}/{rule.alert}.md"},
    }


def _team_labels(label: str, owners: Mapping[str, str | None]) -> dict[str, str]:
    """The team and its owner, in Prometheus' templates."""
    told = {team: owner for team, owner in owners.items() if owner}
    labels = {"team": {team: team for team in owners}, "owner": told}
    return {name: _chosen(label, texts) for name, texts in labels.items() if texts}


def _chosen(label: str, texts: Mapping[str, str]) -> str:
    """The text for the value of a label; a label may not stay empty, or its template would show in some places."""
    choices = " else ".join(f'if eq $labels.{label} "{value}" }}}}{text}{{{{' for value, text in texts.items())
    return f"{{{{ {choices} else }}}}{_NO_TEAM}{{{{ end }}}}"
