"""How the number of a server's replicas changes."""

import contextlib
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from crds import check_admitted
from eksml.catalog import engines
from eksml.errors import SpecError
from eksml.kubernetes_object import KubernetesObject
from eksml.serving.autoscaling import (
    AnyAutoscaling,
    Autoscaling,
    CpuAutoscaling,
    HttpAutoscaling,
    MetricAutoscaling,
    ScaledServer,
    ScheduleAutoscaling,
    WorkingHours,
    address,
    backend,
    interceptor_grant,
    scaler,
)
from eksml.spec import Spec, parse
from programs import ROOT

OFFICE = WorkingHours(start="08:00", end="19:00", time_zone="Europe/Berlin", replicas=2)
SERVER = ScaledServer("chat", "ml", "vllm", "apps/v1", "Deployment", 8000, 720)


class Holder(Spec):
    """Something that scales."""

    autoscaling: Autoscaling


def only(spec: AnyAutoscaling, server: ScaledServer = SERVER, kind: str = "ScaledObject") -> dict[str, Any]:
    return next(each.body["spec"] for each in scaler(spec, server) if each.kind == kind)


def trigger(spec: AnyAutoscaling, kind: str) -> dict[str, Any]:
    return next(each for each in only(spec)["triggers"] if each["type"] == kind)


def test_the_usual_signal_of_the_engine_is_asked_for_of_this_server_alone_with_the_target_of_the_catalog() -> None:
    metric = trigger(MetricAutoscaling(max_replicas=4), "prometheus")
    signal = engines()["vllm"].signals[engines()["vllm"].default_signal]
    assert metric["metadata"]["threshold"] == f"{signal.target:g}"
    assert 'namespace="ml",eksml_dev_server="chat"' in metric["metadata"]["query"]
    assert "$pods" not in metric["metadata"]["query"]
    assert metric["metricType"] == "AverageValue", "the queries of the catalog are sums over all pods"


def test_another_signal_and_another_target_can_be_chosen() -> None:
    spec = MetricAutoscaling(max_replicas=4, signal="generatedTokens", target=250, activation=1.5)
    metadata = trigger(spec, "prometheus")["metadata"]
    assert "generation_tokens" in metadata["query"]
    assert (metadata["threshold"], metadata["activationThreshold"]) == ("250", "1.5")


def test_a_signal_that_the_engine_does_not_measure_is_named_with_those_that_it_does() -> None:
    (near,) = MetricAutoscaling(max_replicas=4, signal="waitingRequest").problems_of("vllm")
    assert str(near) == "signal: 'waitingRequest' is nothing that vLLM measures, did you mean 'waitingRequests'?"
    (far,) = MetricAutoscaling(max_replicas=4, signal="x").problems_of("vllm")
    assert "must be waitingRequests, " in str(far)
    assert list(MetricAutoscaling(max_replicas=4).problems_of("vllm")) == []
    assert list(HttpAutoscaling(max_replicas=4).problems_of("vllm")) == []


@pytest.mark.parametrize("engine", engines())
def test_every_signal_of_every_engine_can_be_followed(engine: str) -> None:
    for signal in engines()[engine].signals:
        spec = MetricAutoscaling(max_replicas=2, signal=signal)
        assert list(spec.problems_of(engine)) == []
        assert only(spec, SERVER._replace(engine=engine))["triggers"]


def test_without_prometheus_nothing_that_runs_is_stopped() -> None:
    spec = only(MetricAutoscaling(min_replicas=2, max_replicas=4))
    assert spec["fallback"] == {"failureThreshold": 3, "replicas": 2, "behavior": "currentReplicasIfHigher"}
    more = only(MetricAutoscaling(max_replicas=4, fallback_replicas=3))
    assert more["fallback"]["replicas"] == 3


def test_what_nobody_measures_is_an_error_unless_there_may_be_no_pod_to_measure() -> None:
    always = trigger(MetricAutoscaling(max_replicas=4), "prometheus")
    assert always["metadata"]["ignoreNullValues"] == "false"
    sleeps = MetricAutoscaling(min_replicas=0, max_replicas=4, working_hours=(OFFICE,))
    assert trigger(sleeps, "prometheus")["metadata"]["ignoreNullValues"] == "true"
    assert "fallback" not in only(sleeps), "Prometheus, when it is away at night, must not wake it"


def test_it_goes_up_at_once_and_down_one_by_one() -> None:
    behavior = only(MetricAutoscaling(max_replicas=4))["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 300
    assert behavior["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 60}]


def test_working_hours_are_cron_expressions_in_their_own_time_zone() -> None:
    hours = WorkingHours(days=("friday", "sunday"), start="08:30", end="19:00", time_zone="Asia/Tokyo", replicas=3)
    spec = ScheduleAutoscaling(working_hours=(hours,))
    assert trigger(spec, "cron")["metadata"] == {
        "timezone": "Asia/Tokyo",
        "start": "30 8 * * 0,5",
        "end": "0 19 * * 0,5",
        "desiredReplicas": "3",
    }
    assert (only(spec)["minReplicaCount"], only(spec)["maxReplicaCount"]) == (0, 3)
    assert spec.wakes == "Fri, Sun 08:30 to 19:00 Asia/Tokyo"


def test_a_time_that_yaml_takes_for_a_number_is_the_time_that_was_meant() -> None:
    data = yaml.safe_load("{start: 8:00, end: 19:00}")
    assert data["end"] == 1140
    hours = parse(WorkingHours, data)
    assert (hours.start, hours.end) == ("08:00", "19:00")


def test_by_requests_it_sleeps_and_a_request_waits_as_long_as_a_cold_start_may_take() -> None:
    spec = HttpAutoscaling(max_replicas=2, hosts=("chat.example.com",))
    route = only(spec, SERVER._replace(hosts=("chat.ml.example.com",)), "InterceptorRoute")
    assert route["timeouts"] == {"readiness": "720s", "responseHeader": "600s"}
    assert route["target"] == {"service": "chat", "port": 8000}
    assert route["rules"] == [
        {
            "hosts": [
                "chat-proxy.ml",
                "chat-proxy.ml.svc",
                "chat-proxy.ml.svc.cluster.local",
                "chat.ml.example.com",
                "chat.example.com",
            ]
        }
    ]
    scaled = only(spec)
    assert scaled["minReplicaCount"] == 0
    assert scaled["triggers"] == [
        {
            "type": "external-push",
            "metadata": {
                "scalerAddress": "keda-add-ons-http-external-scaler.keda:9090",
                "interceptorRoute": "chat",
            },
        }
    ]


def test_a_server_is_not_stopped_while_it_loads_although_its_client_went_away() -> None:
    impatient = HttpAutoscaling(max_replicas=2, cooldown_seconds=60)
    assert only(impatient)["cooldownPeriod"] == only(impatient)["initialCooldownPeriod"] == 720
    assert only(HttpAutoscaling(max_replicas=2, cooldown_seconds=3600))["cooldownPeriod"] == 3600


def test_clients_and_routes_go_to_the_interceptor_only_where_it_wakes_the_server() -> None:
    by_requests = HttpAutoscaling(max_replicas=2)
    assert backend(by_requests, "chat", "ml", 8000) == ("keda", "keda-add-ons-http-interceptor-proxy", 8080)
    assert address(by_requests, "chat", "ml", 8000) == "http://chat-proxy.ml:8080"
    for spec in (None, MetricAutoscaling(max_replicas=2)):
        assert backend(spec, "chat", "ml", 8000) == ("ml", "chat", 8000)
        assert address(spec, "chat", "ml", 8000) == "http://chat.ml:8000"
    (service,) = [each for each in scaler(by_requests, SERVER) if each.kind == "Service"]
    assert service.name == "chat-proxy"
    assert service.body["spec"]["externalName"] == "keda-add-ons-http-interceptor-proxy.keda.svc.cluster.local"


def test_only_routes_of_its_own_namespace_are_let_to_the_interceptor() -> None:
    grant = interceptor_grant("chat", "ml").body["spec"]
    assert [each["namespace"] for each in grant["from"]] == ["ml"]
    assert [each["name"] for each in grant["to"]] == ["keda-add-ons-http-interceptor-proxy"]


def test_on_cpus_kubernetes_own_autoscaler_does() -> None:
    spec = only(CpuAutoscaling(max_replicas=6, target_percent=60), kind="HorizontalPodAutoscaler")
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"}
    assert spec["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 60}
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 6)
    assert CpuAutoscaling.needs == ()


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("apps/v1", "Deployment"),
        ("argoproj.io/v1alpha1", "Rollout"),
        ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet"),
    ],
)
def test_a_rollout_and_a_group_of_pods_are_scaled_like_a_deployment(api_version: str, kind: Any) -> None:
    server = SERVER._replace(api_version=api_version, kind=kind)
    for spec in (MetricAutoscaling(max_replicas=2), ScheduleAutoscaling(working_hours=(OFFICE,))):
        assert only(spec, server)["scaleTargetRef"] == {"apiVersion": api_version, "kind": kind, "name": "chat"}


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"kind": "metric", "minReplicas": 0, "maxReplicas": 2}, "minReplicas: 0 given, but nothing would wake it: "),
        ({"kind": "cpu", "minReplicas": 0, "maxReplicas": 2}, "minReplicas: 0 given, but nothing would wake it: "),
        ({"kind": "metric", "minReplicas": 3, "maxReplicas": 2}, "maxReplicas: 2 given, must be at least 3"),
        ({"kind": "http", "maxReplicas": 0}, "maxReplicas: 0 given, must be at least 1"),
        ({"kind": "metric", "maxReplicas": 2, "fallbackReplicas": 3}, "fallbackReplicas: 3 given, must be at most 2"),
        (
            {"kind": "metric", "minReplicas": 0, "maxReplicas": 2, "fallbackReplicas": 1, "workingHours": [{}]},
            "workingHours[0].start: missing",
        ),
        (
            {
                "kind": "metric",
                "minReplicas": 0,
                "maxReplicas": 2,
                "fallbackReplicas": 1,
                "workingHours": [{"start": "08:00", "end": "09:00"}],
            },
            "fallbackReplicas: given, but with minReplicas: 0",
        ),
        (
            {"kind": "metric", "maxReplicas": 2, "workingHours": [{"start": "08:00", "end": "09:00", "replicas": 3}]},
            "workingHours[0].replicas: 3 given, must be at most 2, which is maxReplicas",
        ),
        (
            {"kind": "schedule", "minReplicas": 1, "workingHours": [{"start": "08:00", "end": "09:00"}]},
            "workingHours[0].replicas: 1 given, must be more than 1, which is minReplicas",
        ),
        ({"kind": "schedule", "workingHours": []}, "workingHours: "),
        (
            {"kind": "schedule", "workingHours": [{"start": "22:00", "end": "06:00"}]},
            "workingHours[0].end: 06:00 given, must be after 22:00",
        ),
        (
            {"kind": "schedule", "workingHours": [{"start": "08:00", "end": "09:00", "timeZone": "Europe/Berlín"}]},
            "workingHours[0].timeZone: 'Europe/Berlín' is no time zone, did you mean 'Europe/Berlin'?",
        ),
        (
            {"kind": "schedule", "workingHours": [{"start": "08:00", "end": "25:00", "days": ["friday", "friday"]}]},
            "must be a time such as 08:30",
        ),
        ({"kind": "http", "maxReplicas": 2, "hosts": ["a.b", "a.b"]}, "hosts[1]: 'a.b' is listed twice"),
        ({"kind": "http", "maxReplicas": 2, "signal": "queue"}, "signal: unknown key"),
    ],
)
def test_what_cannot_be_is_refused_with_what_would_be_right(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError) as error:
        parse(Holder, {"autoscaling": settings})
    assert problem in str(error.value).replace("autoscaling.", "")


def test_it_says_how_it_wakes_only_where_it_sleeps() -> None:
    assert MetricAutoscaling(max_replicas=2, working_hours=(OFFICE,)).wakes == ""
    sleeps = MetricAutoscaling(min_replicas=0, max_replicas=2, working_hours=(OFFICE,))
    assert sleeps.wakes == "Mon, Tue, Wed, Thu, Fri 08:00 to 19:00 Europe/Berlin"
    assert HttpAutoscaling(max_replicas=2).wakes == "by a request, which is held"
    assert HttpAutoscaling(min_replicas=1, max_replicas=2).wakes == ""


def test_each_kind_names_the_settings_that_it_needs() -> None:
    assert MetricAutoscaling.needs == ("serving.keda", "observability.prometheus")
    assert HttpAutoscaling.needs == ("serving.keda.httpAddOn",)
    assert ScheduleAutoscaling.needs == ("serving.keda",)


SPECS: list[AnyAutoscaling] = [
    MetricAutoscaling(max_replicas=4, working_hours=(OFFICE,)),
    MetricAutoscaling(min_replicas=0, max_replicas=4, working_hours=(OFFICE,)),
    HttpAutoscaling(max_replicas=2),
    ScheduleAutoscaling(working_hours=(OFFICE,)),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.kind}-{spec.min_replicas}")
def test_its_objects_fit_the_real_definitions(spec: AnyAutoscaling, shared: Path) -> None:
    for made in scaler(spec, SERVER):
        if made.kind != "Service":
            check_admitted(as_item(made), shared)


def as_item(made: KubernetesObject) -> dict[str, Any]:
    metadata = {"name": made.name, "namespace": "ml"}
    return {"apiVersion": made.api_version, "kind": made.kind, "metadata": metadata, **made.body}


def test_every_example_of_the_guide_is_right() -> None:
    guide = (ROOT / "docs" / "guides" / "autoscaling.md").read_text(encoding="utf-8")
    examples = re.findall(r"^    autoscaling:\n(?:      .*\n)+", guide, re.MULTILINE)
    kinds = [parse(Holder, yaml.safe_load(textwrap.dedent(each))).autoscaling.kind for each in examples]
    assert kinds == ["metric", "http", "schedule"]


@given(
    st.dictionaries(
        st.sampled_from(["kind", "minReplicas", "maxReplicas", "workingHours", "target"]),
        st.none() | st.integers() | st.text() | st.lists(st.dictionaries(st.text(), st.integers())),
    )
)
def test_any_data_is_a_way_to_scale_or_told_to_be_none(data: dict[str, Any]) -> None:
    with contextlib.suppress(SpecError):
        parsed = parse(Holder, {"autoscaling": data}).autoscaling
        assert TypeAdapter(Autoscaling).validate_python(parsed.settings()) == parsed
