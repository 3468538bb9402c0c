"""How the number of a server's replicas changes: by what its engine measures, by its CPUs, by requests, by the clock.

From a Spec to plain objects. The scaled workload leaves `replicas` out, or every `pulumi up` would reset it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from eksml import names
from eksml.catalog import engines, for_pods
from eksml.errors import Problem, listed, nearest, repetitions
from eksml.kubernetes_object import KubernetesObject
from eksml.network.exposure import Backend
from eksml.spec import PositiveCount, Spec, pattern
from eksml.weekly_hours import DAYS, WeeklyHours

_KEDA_API = "keda.sh/v1alpha1"
_INTERCEPTOR = f"{names.KEDA_HTTP_ADD_ON}-interceptor-proxy"
_INTERCEPTOR_PORT = 8080
_SCALER = f"{names.KEDA_HTTP_ADD_ON}-external-scaler.{names.KEDA_NAMESPACE}:9090"

# Up as fast as nodes come, down one by one: a replica that goes too early costs its whole cold start again.
_UP = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Percent", "value": 100, "periodSeconds": 60},
        {"type": "Pods", "value": 2, "periodSeconds": 60},
    ],
}
_DOWN = {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}

# Failed polls in a row before Prometheus counts as away.
_FAILURES = 3


HostName = Annotated[
    str,
    pattern(
        r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$",
        "a host name: lower-case letters, digits, hyphens and dots",
    ),
]
Count = Annotated[int, Field(strict=True, ge=0, le=10_000)]
Seconds = Annotated[int, Field(strict=True, ge=1, le=86_400)]


class WorkingHours(WeeklyHours):
    """Hours of a day in which replicas run, whatever else there is to do; a server is there one cold start later."""

    replicas: PositiveCount = 1
    """Replicas that run in these hours."""


class AutoscalingSpec(Spec):
    """What all ways to scale have in common."""

    needs: ClassVar[tuple[str, ...]] = ()
    """The settings of a platform without which it does nothing."""

    min_replicas: Count = 1
    """Replicas at least."""

    @property
    def wakes(self) -> str:
        """How a server without replicas gets one; empty where it always has some."""
        return self._alarm if self.min_replicas == 0 else ""

    @property
    def _alarm(self) -> str:
        return ""

    def problems_of(self, engine: str) -> Iterator[Problem]:
        """What does not suit an engine of the catalog, by its kind."""
        yield from ()


class BoundedAutoscalingSpec(AutoscalingSpec):
    """What those have in common whose most replicas are a setting."""

    max_replicas: PositiveCount
    """Replicas at most; the pool and the team's quota have to have room for them."""

    def rules(self) -> Iterator[Problem]:
        """At least is not more than at most, and nothing sleeps that nothing wakes."""
        if self.min_replicas > self.max_replicas:
            text = f"{self.max_replicas} given, must be at least {self.min_replicas}, which is minReplicas"
            yield Problem(("maxReplicas",), text)
        if self.min_replicas == 0 and not self.wakes:
            text = (
                "0 given, but nothing would wake it: scale by requests (kind: http) or give workingHours (kind: metric)"
            )
            yield Problem(("minReplicas",), text)


def _text(hours: tuple[WorkingHours, ...]) -> str:
    return "; ".join(each.text for each in hours)


def _hours_problems(hours: tuple[WorkingHours, ...], most: int) -> Iterator[Problem]:
    for index, each in enumerate(hours):
        if each.replicas > most:
            text = f"{each.replicas} given, must be at most {most}, which is maxReplicas"
            yield Problem(("workingHours", index, "replicas"), text)


class MetricAutoscaling(BoundedAutoscalingSpec):
    """By what the engine measures: KEDA asks Prometheus."""

    needs: ClassVar[tuple[str, ...]] = ("serving.keda", "observability.prometheus")

    kind: Literal["metric"] = "metric"
    signal: str | None = None
    """What replicas follow, by its name in the catalog of engines; none given: the engine's usual one."""
    target: Annotated[float, Field(gt=0)] | None = None
    """How much of it one replica should have; none given: the catalog's."""
    activation: Annotated[float, Field(ge=0)] = 0
    """How much of it, over all replicas, still counts as nothing to do; it decides only about the last replica."""
    fallback_replicas: PositiveCount | None = None
    """Replicas at least while Prometheus does not answer; none given: minReplicas. None that run are stopped then."""
    polling_seconds: Seconds = 15
    """How often it is asked for."""
    scale_down_seconds: Annotated[int, Field(strict=True, ge=0, le=3600)] = 300
    """How long fewer replicas must have been enough before one goes."""
    cooldown_seconds: Seconds = 600
    """How long there is nothing to do before the last replica goes, with minReplicas: 0."""
    working_hours: tuple[WorkingHours, ...] = ()
    """When replicas run, whatever the signal says: what wakes a server with minReplicas: 0."""

    @property
    def _alarm(self) -> str:
        return _text(self.working_hours)

    def rules(self) -> Iterator[Problem]:
        """No more replicas than the most, and none for want of Prometheus where there may be none at all."""
        yield from super().rules()
        yield from _hours_problems(self.working_hours, self.max_replicas)
        if self.fallback_replicas is None:
            return
        if self.fallback_replicas > self.max_replicas:
            text = f"{self.fallback_replicas} given, must be at most {self.max_replicas}, which is maxReplicas"
            yield Problem(("fallbackReplicas",), text)
        if self.min_replicas == 0:
            text = "given, but with minReplicas: 0 the absence of Prometheus must not wake it"
            yield Problem(("fallbackReplicas",), text)

    def problems_of(self, engine: str) -> Iterator[Problem]:
        """A signal is one of the engine's."""
        signals = engines()[engine].signals
        if self.signal is not None and self.signal not in signals:
            near = nearest(self.signal, signals) or f", must be {listed(signals)}"
            yield Problem(("signal",), f"'{self.signal}' is nothing that {engines()[engine].title} measures{near}")


class CpuAutoscaling(BoundedAutoscalingSpec):
    """By the CPUs that are in use: Kubernetes' own autoscaler, for engines on CPUs."""

    kind: Literal["cpu"] = "cpu"
    target_percent: Annotated[int, Field(strict=True, ge=1, le=100)] = 70
    """The share of the requested CPUs that should be in use."""
    scale_down_seconds: Annotated[int, Field(strict=True, ge=0, le=3600)] = 300
    """How long fewer replicas must have been enough before one goes."""


class HttpAutoscaling(BoundedAutoscalingSpec):
    """By requests, from zero: KEDA's HTTP add-on counts them, and holds them while a replica starts."""

    needs: ClassVar[tuple[str, ...]] = ("serving.keda.httpAddOn",)

    kind: Literal["http"] = "http"
    min_replicas: Count = 0
    """Replicas at least; 0: it sleeps when nobody asks."""
    target_requests: PositiveCount = 10
    """Requests that one replica should have at a time."""
    hosts: tuple[HostName, ...] = ()
    """Host names by which clients know it, beside those of its Service and its exposure."""
    hold_seconds: Seconds | None = None
    """How long a request waits for a replica at most; none given: as long as a cold start may take."""
    answer_seconds: Seconds = 600
    """How long a replica may take until its answer begins."""
    scale_down_seconds: Annotated[int, Field(strict=True, ge=0, le=3600)] = 300
    """How long fewer replicas must have been enough before one goes."""
    cooldown_seconds: Seconds = 900
    """How long nobody asks before the last replica goes; at least as long as a cold start may take."""

    @property
    def _alarm(self) -> str:
        return "by a request, which is held"

    def rules(self) -> Iterator[Problem]:
        """A host stands once."""
        yield from super().rules()
        yield from repetitions(("hosts",), self.hosts)


class ScheduleAutoscaling(AutoscalingSpec):
    """By the clock: replicas in working hours, and none outside them."""

    needs: ClassVar[tuple[str, ...]] = ("serving.keda",)

    kind: Literal["schedule"] = "schedule"
    min_replicas: Count = 0
    """Replicas outside working hours."""
    working_hours: tuple[WorkingHours, ...] = Field(min_length=1)
    """When more of them run, and how many."""
    cooldown_seconds: Seconds = 300
    """How long after the end the last replica goes."""

    @property
    def max_replicas(self) -> int:
        """Replicas at most."""
        return max(each.replicas for each in self.working_hours)

    @property
    def _alarm(self) -> str:
        return _text(self.working_hours)

    def rules(self) -> Iterator[Problem]:
        """In working hours there are more than outside them."""
        for index, each in enumerate(self.working_hours):
            if each.replicas <= self.min_replicas:
                text = f"{each.replicas} given, must be more than {self.min_replicas}, which is minReplicas"
                yield Problem(("workingHours", index, "replicas"), text)


AnyAutoscaling = MetricAutoscaling | CpuAutoscaling | HttpAutoscaling | ScheduleAutoscaling
Autoscaling = Annotated[AnyAutoscaling, Field(discriminator="kind")]


class ScaledServer(NamedTuple):
    """What is scaled: a workload with the name of its server, and the Service of that name before it."""

    name: str
    namespace: str
    engine: str
    """Its kind in the catalog of engines."""
    api_version: str
    kind: Literal["Deployment", "Rollout", "LeaderWorkerSet"]
    """Of the workload: one with a scale subresource."""
    port: int
    """Of its Service, for HTTP."""
    cold_start_seconds: int
    """How long it takes at most until a replica answers."""
    hosts: tuple[str, ...] = ()
    """Host names by which it is reached from elsewhere."""


class Measure(NamedTuple):
    """What replicas follow."""

    query: str
    """In PromQL."""
    target: str
    """How much of it one replica should have."""


def scaler(spec: AnyAutoscaling, server: ScaledServer) -> list[KubernetesObject]:
    """The objects that scale a server, in the order in which they are made."""
    if isinstance(spec, CpuAutoscaling):
        return [_cpu_autoscaler(spec, server)]
    if isinstance(spec, HttpAutoscaling):
        return [_proxy_service(server), _interceptor_route(spec, server), _by_requests(spec, server)]
    if isinstance(spec, MetricAutoscaling):
        return [_by_metric(spec, server)]
    fields = {
        "minReplicaCount": spec.min_replicas,
        "maxReplicaCount": spec.max_replicas,
        "cooldownPeriod": spec.cooldown_seconds,
    }
    return [_scaled_object(server, fields, _clocks(spec.working_hours))]


def backend(spec: AnyAutoscaling | None, server: str, namespace: str, port: int) -> Backend:
    """The Service that a route must point to: the server's own, or the interceptor, which wakes it.

    The interceptor is in a namespace of its own: a route needs `interceptor_grant` there.
    """
    if isinstance(spec, HttpAutoscaling):
        return Backend(names.KEDA_NAMESPACE, _INTERCEPTOR, _INTERCEPTOR_PORT)
    return Backend(namespace, server, port)


def address(spec: AnyAutoscaling | None, server: str, namespace: str, port: int) -> str:
    """Where clients in the cluster find it."""
    if isinstance(spec, HttpAutoscaling):
        return f"http://{_proxy(server)}.{namespace}:{_INTERCEPTOR_PORT}"
    return f"http://{server}.{namespace}:{port}"


def measure(spec: MetricAutoscaling, engine: str, namespace: str, server: str) -> Measure:
    """What replicas of a server follow, over all of its pods, and how much of it one should have."""
    facts = engines()[engine]
    signal = facts.signals[spec.signal or facts.default_signal]
    query = for_pods(signal.query, namespace=namespace, eksml_dev_server=server)
    return Measure(query, _number(spec.target or signal.target))


def interceptor_grant(server: str, namespace: str) -> KubernetesObject:
    """Lets the routes of a namespace point to the interceptor; it is made in the interceptor's namespace."""
    spec = {
        "from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": namespace}],
        "to": [{"group": "", "kind": "Service", "name": _INTERCEPTOR}],
    }
    name = names.fitted(f"{namespace}-{server}", 63)
    return KubernetesObject("gateway.networking.k8s.io/v1", "ReferenceGrant", name, {"spec": spec})


def _scaled_object(server: ScaledServer, fields: dict[str, Any], triggers: list[dict[str, Any]]) -> KubernetesObject:
    spec = {"scaleTargetRef": _target(server), **fields, "triggers": triggers}
    if fields["minReplicaCount"] == 0:
        # The first replica starts in peace, so that `pulumi up` sees whether it works.
        spec["initialCooldownPeriod"] = server.cold_start_seconds
    return KubernetesObject(_KEDA_API, "ScaledObject", server.name, {"spec": spec})


def _target(server: ScaledServer) -> dict[str, str]:
    return {"apiVersion": server.api_version, "kind": server.kind, "name": server.name}


def _behavior(scale_down_seconds: int) -> dict[str, Any]:
    return {"scaleUp": _UP, "scaleDown": {"stabilizationWindowSeconds": scale_down_seconds, **_DOWN}}


def _by_metric(spec: MetricAutoscaling, server: ScaledServer) -> KubernetesObject:
    may_sleep = spec.min_replicas == 0
    fallback = {
        "failureThreshold": _FAILURES,
        "replicas": spec.fallback_replicas or spec.min_replicas,
        "behavior": "currentReplicasIfHigher",
    }
    fields = {
        "minReplicaCount": spec.min_replicas,
        "maxReplicaCount": spec.max_replicas,
        "pollingInterval": spec.polling_seconds,
        "cooldownPeriod": spec.cooldown_seconds,
        **({} if may_sleep else {"fallback": fallback}),
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _behavior(spec.scale_down_seconds)}},
    }
    return _scaled_object(
        server, fields, [_prometheus(spec, server, may_sleep=may_sleep), *_clocks(spec.working_hours)]
    )


def _prometheus(spec: MetricAutoscaling, server: ScaledServer, *, may_sleep: bool) -> dict[str, Any]:
    measured = measure(spec, server.engine, server.namespace, server.name)
    return {
        "type": "prometheus",
        # Of the sum over all pods, as the catalog's queries are.
        "metricType": "AverageValue",
        "metadata": {
            "serverAddress": names.PROMETHEUS_URL,
            "query": measured.query,
            "threshold": measured.target,
            "activationThreshold": _number(spec.activation),
            # Without pods nothing is measured, and that is no error. With pods it is one: what nobody measures
            # is not idle.
            "ignoreNullValues": "true" if may_sleep else "false",
        },
    }


def _clocks(hours: tuple[WorkingHours, ...]) -> list[dict[str, Any]]:
    return [{"type": "cron", "metadata": _cron(each)} for each in hours]


def _cron(hours: WorkingHours) -> dict[str, str]:
    days = ",".join(str(day) for day in sorted(DAYS.index(day) for day in hours.days))

    def at(time: str) -> str:
        hour, minute = map(int, time.split(":"))
        return f"{minute} {hour} * * {days}"

    return {
        "timezone": hours.time_zone,
        "start": at(hours.start),
        "end": at(hours.end),
        "desiredReplicas": str(hours.replicas),
    }


def _cpu_autoscaler(spec: CpuAutoscaling, server: ScaledServer) -> KubernetesObject:
    target = {"type": "Utilization", "averageUtilization": spec.target_percent}
    fields = {
        "scaleTargetRef": _target(server),
        "minReplicas": spec.min_replicas,
        "maxReplicas": spec.max_replicas,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        "behavior": _behavior(spec.scale_down_seconds),
    }
    return KubernetesObject("autoscaling/v2", "HorizontalPodAutoscaler", server.name, {"spec": fields})


def _proxy(server: str) -> str:
    return f"{server}-proxy"


def _proxy_service(server: ScaledServer) -> KubernetesObject:
    """A name for the interceptor in the team's namespace, by which it knows which server is meant."""
    spec = {"type": "ExternalName", "externalName": f"{_INTERCEPTOR}.{names.KEDA_NAMESPACE}.svc.cluster.local"}
    return KubernetesObject("v1", "Service", _proxy(server.name), {"spec": spec})


def _interceptor_route(spec: HttpAutoscaling, server: ScaledServer) -> KubernetesObject:
    # Not without the namespace: another team may have a server of this name.
    service = f"{_proxy(server.name)}.{server.namespace}"
    hosts = [service, f"{service}.svc", f"{service}.svc.cluster.local", *server.hosts, *spec.hosts]
    fields = {
        "target": {"service": server.name, "port": server.port},
        "rules": [{"hosts": list(dict.fromkeys(hosts))}],
        "scalingMetric": {"concurrency": {"targetValue": spec.target_requests}},
        "timeouts": {
            "readiness": f"{spec.hold_seconds or server.cold_start_seconds}s",
            "responseHeader": f"{spec.answer_seconds}s",
        },
    }
    return KubernetesObject("http.keda.sh/v1beta1", "InterceptorRoute", server.name, {"spec": fields})


def _by_requests(spec: HttpAutoscaling, server: ScaledServer) -> KubernetesObject:
    fields = {
        "minReplicaCount": spec.min_replicas,
        "maxReplicaCount": spec.max_replicas,
        # A client that goes away while it loads must not stop it, or the next one finds it where this one did.
        "cooldownPeriod": max(spec.cooldown_seconds, server.cold_start_seconds),
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _behavior(spec.scale_down_seconds)}},
    }
    trigger = {"type": "external-push", "metadata": {"scalerAddress": _SCALER, "interceptorRoute": server.name}}
    return _scaled_object(server, fields, [trigger])


def _number(value: float) -> str:
    return f"{value:g}"
