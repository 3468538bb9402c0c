"""What replicas and new versions are judged by: that somebody measures it, and that what sleeps is woken in time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from eksml import names
from eksml.catalog import engines, exporters, series_in
from eksml.checks.engines import EngineContainer, engines_of, namespace_of
from eksml.checks.finding import Found
from eksml.checks.nodes import has_all_nodes
from eksml.checks.targets import gateways_of, is_selected, routes_of
from eksml.checks.workloads import RELEASE, chart_of
from eksml.errors import listed, nearest
from eksml.plan import Plan, Resource

SCALED_OBJECT = "kubernetes:keda.sh/v1alpha1:ScaledObject"
_AUTOSCALER = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
_ANALYSES = tuple(f"kubernetes:argoproj.io/v1alpha1:{kind}" for kind in ("AnalysisTemplate", "ClusterAnalysisTemplate"))
_POD_MONITOR = "kubernetes:monitoring.coreos.com/v1:PodMonitor"
_MONITORING = "kubernetes:monitoring.coreos.com/"
_INTERCEPTOR_ROUTE = "kubernetes:http.keda.sh/v1beta1:InterceptorRoute"
# What the load balancer does unless it is told otherwise, in seconds:
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html
_IDLE_TIMEOUT, _IDLE_SECONDS = "idle_timeout.timeout_seconds", 60
# Charts that bring an exporter, and where their values say that Prometheus reads it; None: it does.
_CHARTS = {
    "prometheus": {"kube-prometheus-stack": None},
    "kubeStateMetrics": {"kube-prometheus-stack": "kubeStateMetrics.enabled"},
    "kubelet": {"kube-prometheus-stack": "kubelet.enabled"},
    "alertmanager": {"kube-prometheus-stack": "alertmanager.enabled"},
    "dcgm": {"dcgm-exporter": "serviceMonitor.enabled", "gpu-operator": "dcgmExporter.serviceMonitor.enabled"},
    "kueue": {"kueue": "enablePrometheus"},
}
_OFF_BY_DEFAULT = ("dcgmExporter.serviceMonitor.enabled", "enablePrometheus")
# Exporters that a ServiceMonitor or PodMonitor of this name is for.
_MONITORS = {"karpenter": "karpenter", "certManager": "cert-manager", "mlflow": "mlflow"}
_RULE = "kubernetes:monitoring.coreos.com/v1:PrometheusRule"
# Exporters of the catalog that are rules which record series.
_RULES = ("costs", "alertRules")


def metric_exported(plan: Plan) -> Iterator[Found]:
    """Whatever scaling, analyses and rules ask Prometheus is exported by something on the platform that it reads."""
    for asked in _queries(plan) if has_all_nodes(plan) else ():
        if asked.address.startswith(names.PROMETHEUS_URL) and not has_exporter("prometheus", plan):
            text = "asks Prometheus, which this platform does not have: observability.prometheus brings it"
            yield Found(asked.resource, text)
            continue
        for series in sorted(series_in(asked.query)):
            if text := _missing(series, asked, plan):
                yield Found(asked.resource, text)


def is_of_platform(exporter: str) -> bool:
    """Whether a platform brings this exporter itself, rather than a model server."""
    return exporter in _CHARTS or exporter in _MONITORS or exporter in _RULES


@lru_cache(maxsize=16)
def has_exporter(exporter: str, plan: Plan) -> bool:
    """Whether Prometheus reads an exporter that a platform brings."""
    if exporter in _RULES:
        return bool(exporters()[exporter].series & _recorded(plan))
    if exporter in _MONITORS:
        return _MONITORS[exporter] in {_name(each) for each in _monitors(plan)}
    for release in plan.of_type(RELEASE):
        name = (chart_of(release) or ("",))[0]
        if name in _CHARTS[exporter]:
            setting = _CHARTS[exporter][name]
            if setting is None or _is_on(release.inputs.get("values") or {}, setting):
                return True
    return False


def sleeper_wakes(plan: Plan) -> Iterator[Found]:
    """What may have no replica is woken by something that is there without one."""
    for scaled in plan.of_type(SCALED_OBJECT):
        spec = scaled.inputs.get("spec") or {}
        # KEDA's default is none at all.
        least = spec.get("idleReplicaCount", spec.get("minReplicaCount", 0))
        if least == 0 and not any(_wakes(each) for each in spec.get("triggers") or ()):
            text = "may have no replica, and what it follows is measured by its replicas only: nothing wakes it"
            yield Found(scaled, f"{text}; scale by requests or working hours, or set minReplicaCount to 1")
    for autoscaler in plan.of_type(_AUTOSCALER):
        if (autoscaler.inputs.get("spec") or {}).get("minReplicas") == 0:
            yield Found(autoscaler, "may have no replica, and nothing wakes it: set minReplicas to 1, or take KEDA")


def hold_fits_idle_timeout(plan: Plan) -> Iterator[Found]:
    """A load balancer keeps a connection open for as long as a request may be held until a server is there."""
    held = {
        (namespace_of(route), host): _seconds((_spec(route).get("timeouts") or {}).get("readiness"))
        for route in plan.of_type(_INTERCEPTOR_ROUTE)
        for rule in _spec(route).get("rules") or ()
        for host in rule.get("hosts") or ()
    }
    for route in routes_of(plan):
        seconds = max(
            (held.get((namespace_of(route), host), 0) for host in _spec(route).get("hostnames") or ()), default=0
        )
        for gateway in gateways_of(route, plan):
            if seconds > (idle := _idle_seconds(gateway, plan)):
                text = (
                    f"a request is held for up to {seconds} s, and the load balancer ends it after {idle} s of silence"
                )
                yield Found(route, f"{text}: raise {_IDLE_TIMEOUT}, at most 4000, or hold it for less")


def _is_on(values: Any, setting: str) -> bool:
    for step in setting.split("."):
        values = values.get(step) if isinstance(values, Mapping) else None
    return setting not in _OFF_BY_DEFAULT if values is None else bool(values)


def _monitors(plan: Plan) -> list[Resource]:
    return [each for each in plan.resources if each.type.startswith(_MONITORING) and each.type != _RULE]


def _rules(plan: Plan) -> Iterator[tuple[Resource, Mapping[str, Any]]]:
    for made in plan.of_type(_RULE):
        for group in _spec(made).get("groups") or ():
            for rule in group.get("rules") or ():
                yield made, rule


@lru_cache(maxsize=1)
def _recorded(plan: Plan) -> frozenset[str]:
    """The series that rules of the program record."""
    return frozenset(str(rule["record"]) for _, rule in _rules(plan) if "record" in rule)


def _name(resource: Resource) -> str:
    return str((resource.inputs.get("metadata") or {}).get("name"))


class _Query(NamedTuple):
    resource: Resource
    query: str
    address: str


def _queries(plan: Plan) -> Iterator[_Query]:
    for scaled in plan.of_type(SCALED_OBJECT):
        for trigger in _spec(scaled).get("triggers") or ():
            if trigger.get("type") == "prometheus":
                about = trigger.get("metadata") or {}
                yield _Query(scaled, str(about.get("query", "")), str(about.get("serverAddress", "")))
    for kind in _ANALYSES:
        for template in plan.of_type(kind):
            for metric in _spec(template).get("metrics") or ():
                if about := (metric.get("provider") or {}).get("prometheus"):
                    yield _Query(template, str(about.get("query", "")), str(about.get("address", "")))
    for made, rule in _rules(plan):
        yield _Query(made, str(rule.get("expr", "")), names.PROMETHEUS_URL)


def _missing(series: str, asked: _Query, plan: Plan) -> str | None:
    """Why a time series is not there; None where it is, or may be."""
    if series in _recorded(plan):
        return None
    known = {name for name, exporter in exporters().items() if series in exporter.series}
    if not known:
        if _reads_unknown(plan):
            return None
        every = {each for exporter in exporters().values() for each in exporter.series}
        return f"asks for {series}, which nothing on this platform exports{nearest(series, every)}"
    if any(_is_exported(name, asked, plan) for name in known):
        return None
    titles = listed(sorted(exporters()[name].title for name in known))
    return f"asks for {series}, which Prometheus reads from {titles}, but not here: nothing monitors that"


def _is_exported(exporter: str, asked: _Query, plan: Plan) -> bool:
    if is_of_platform(exporter):
        return has_exporter(exporter, plan)
    return any(
        _exports(engine, exporter) and is_selected(monitor, engine.workload) and _has_labels(monitor, asked.query)
        for monitor in plan.of_type(_POD_MONITOR)
        for engine in engines_of(plan)
    ) or _is_made_unseen(exporter, plan)


def _exports(engine: EngineContainer, exporter: str) -> bool:
    return engines()[engine.kind].exporter == exporter


def _has_labels(monitor: Resource, query: str) -> bool:
    """Whether the series carry the labels of pods that a query tells them apart by."""
    copied = {re.sub(r"\W", "_", label) for label in _spec(monitor).get("podTargetLabels") or ()}
    wanted = {re.sub(r"\W", "_", label) for label in (names.SERVER_LABEL, "rollouts-pod-template-hash")}
    return all(label in copied for label in wanted if f"{label}=" in query)


def _is_made_unseen(exporter: str, plan: Plan) -> bool:
    """Whether an operator makes the pods of such an engine, of which the program has only a custom resource."""
    kind = {"ray": "RayService", "kserve": "InferenceService"}.get(exporter)
    made = (each for each in plan.resources if kind and each.package == "kubernetes")
    return bool(plan.of_type(_POD_MONITOR)) and any(each.inputs.get("kind") == kind for each in made)


@lru_cache(maxsize=1)
def _reads_unknown(plan: Plan) -> bool:
    """Whether Prometheus reads something that the catalog does not know, which may export anything."""
    monitors = [each for each in _monitors(plan) if _name(each) not in _MONITORS.values()]
    known = engines_of(plan)
    return any(
        each.type != _POD_MONITOR or not any(is_selected(each, engine.workload) for engine in known)
        for each in monitors
    )


def _wakes(trigger: Mapping[str, Any]) -> bool:
    """Whether a trigger can say that there is something to do while there is no replica."""
    if trigger.get("type") in ("cpu", "memory"):
        return False
    if trigger.get("type") != "prometheus":
        return True
    of_engines = {engine.exporter for engine in engines().values()} | {"dcgm"}
    own = frozenset[str]().union(*(exporters()[name].series for name in of_engines), exporters()["prometheus"].series)
    return bool(series_in(str((trigger.get("metadata") or {}).get("query", ""))) - own)


def _idle_seconds(gateway: Resource, plan: Plan) -> int:
    name = ((_spec(gateway).get("infrastructure") or {}).get("parametersRef") or {}).get("name")
    for configuration in plan.of_type(f"kubernetes:{names.GATEWAY_AWS_API_VERSION}:LoadBalancerConfiguration"):
        if (namespace_of(configuration), (configuration.inputs["metadata"]).get("name")) == (
            namespace_of(gateway),
            name,
        ):
            for attribute in _spec(configuration).get("loadBalancerAttributes") or ():
                if attribute.get("key") == _IDLE_TIMEOUT:
                    return int(attribute["value"])
    return _IDLE_SECONDS


def _seconds(duration: Any) -> int:
    """A duration of Go, in seconds; 0 for what is none."""
    parts = re.findall(r"(\d+)(h|m|s)(?![a-z])", str(duration))
    return sum(int(number) * {"h": 3600, "m": 60, "s": 1}[unit] for number, unit in parts)


def _spec(resource: Resource) -> Mapping[str, Any]:
    return resource.inputs.get("spec") or {}
