"""How new versions of a server take over, and by what they are judged."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from crds import check_admitted
from eksml import catalog, names
from eksml.kubernetes_object import KubernetesObject
from eksml.serving.analysis import AnalysisSpec, LatencySpec, PreviewLoad
from eksml.serving.rollout import (
    AnalysisStep,
    BlueGreenRollout,
    CanaryRollout,
    PauseStep,
    RolloutSpec,
    WeightStep,
    replicas_needed,
    rollout_objects,
    rollout_problems,
)
from eksml.spec import Spec
from parts import need_program
from programs import names_of
from refusals import problems
from serving.model_servers import server

LOAD = PreviewLoad(path="/v1/completions", body='{"prompt": "a"}')
AUTOMATIC = BlueGreenRollout(auto_promotion_enabled=True, preview_load=LOAD)
LATENCY = AnalysisSpec(latency=LatencySpec(percentile=99, limit_ms=1500))
NO_ERRORS_MEASURED = ("kserve", "transformers")


class Holder(Spec):
    rollout: RolloutSpec


def deployment(**fields: Any) -> KubernetesObject:
    pod = {
        "nodeSelector": {"eksml.dev/pool": "serve"},
        "tolerations": [names.gpu_toleration()],
        "containers": [{"name": "server", "image": "example.com/server:1.0.0"}],
    }
    template = {"metadata": {"labels": {names.SERVER_LABEL: "chat"}}, "spec": pod}
    whole = {"replicas": 3, "selector": {"matchLabels": {names.SERVER_LABEL: "chat"}}, "template": template, **fields}
    return KubernetesObject("apps/v1", "Deployment", "chat", {"spec": whole})


def objects(rollout: Any, engine: str = "vllm", *, has_gpus: bool = True, **fields: Any) -> list[KubernetesObject]:
    facts = catalog.engines()[engine]
    return rollout_objects(
        deployment(**fields), rollout, facts, namespace="vision", has_gpus=has_gpus, start_seconds=1800
    )


def of_kind(made: list[KubernetesObject], kind: str) -> dict[str, Any]:
    return {each.name: each.body["spec"] for each in made if each.kind == kind}


def strategy(rollout: Any, **arguments: Any) -> dict[str, Any]:
    return of_kind(objects(rollout, **arguments), "Rollout")["chat"]["strategy"]


def metrics(rollout: Any, template: str, **arguments: Any) -> dict[str, Any]:
    found = of_kind(objects(rollout, **arguments), "AnalysisTemplate")[template]["metrics"]
    return {metric["name"]: metric for metric in found}


def query(metric: dict[str, Any]) -> str:
    return metric["provider"]["prometheus"]["query"]


EVERY_STRATEGY = [
    BlueGreenRollout(),
    AUTOMATIC,
    BlueGreenRollout(preview_replica_count=1, pre_promotion_analysis=None, post_promotion_analysis=LATENCY),
    CanaryRollout(),
    CanaryRollout(steps=(WeightStep(percent=20), PauseStep(seconds=60), AnalysisStep()), analysis=LATENCY, max_surge=2),
]


@pytest.mark.parametrize("rollout", EVERY_STRATEGY)
@pytest.mark.parametrize("engine", catalog.engines())
def test_every_strategy_is_of_the_real_definitions_and_comes_after_what_it_names(
    rollout: Any, engine: str, shared: Path
) -> None:
    made = objects(rollout, engine)
    assert made[-1].kind == "Rollout"
    templates = of_kind(made, "AnalysisTemplate")
    asked = [each.split('"')[0] for each in json.dumps(made[-1].body["spec"]).split('"templateName": "')[1:]]
    assert set(asked) == set(templates)
    for each in made:
        if each.kind != "Service":
            whole = {"apiVersion": each.api_version, "kind": each.kind, "metadata": {"name": each.name}, **each.body}
            check_admitted(whole, shared)


def test_blue_green_is_as_in_the_documents_unless_told_otherwise() -> None:
    judged = {"name": "pod-template-hash", "valueFrom": {"podTemplateHashValue": "Latest"}}
    assert strategy(BlueGreenRollout()) == {
        "blueGreen": {
            "activeService": "chat",
            "previewService": "chat-preview",
            "autoPromotionEnabled": False,
            "prePromotionAnalysis": {"templates": [{"templateName": "chat-pre-promotion"}], "args": [judged]},
            "postPromotionAnalysis": {"templates": [{"templateName": "chat-post-promotion"}], "args": [judged]},
            "scaleDownDelaySeconds": 30,
            "scaleDownDelayRevisionLimit": 1,
            "abortScaleDownDelaySeconds": 30,
        }
    }
    success = metrics(BlueGreenRollout(), "chat-pre-promotion")["success-rate"]
    assert (success["interval"], success["count"], success["successCondition"]) == (
        "60s",
        5,
        "len(result) > 0 && result[0] >= 0.95",
    )


def test_a_preview_is_reached_by_a_service_of_its_own_with_the_ports_of_the_engine() -> None:
    service = of_kind(objects(BlueGreenRollout(), "triton"), "Service")["chat-preview"]
    assert service["selector"] == {names.SERVER_LABEL: "chat"}
    assert {port["name"]: port["port"] for port in service["ports"]} == {"http": 8000, "grpc": 8001}
    assert of_kind(objects(CanaryRollout()), "Service") == {}


def test_a_rollout_has_the_pods_of_the_deployment_and_leaves_replicas_to_a_scaler() -> None:
    whole = of_kind(objects(CanaryRollout()), "Rollout")["chat"]
    assert whole["template"] == deployment().body["spec"]["template"]
    assert whole["selector"] == {"matchLabels": {names.SERVER_LABEL: "chat"}}
    assert whole["replicas"] == 3
    assert (whole["progressDeadlineSeconds"], whole["progressDeadlineAbort"]) == (1800, True)
    scaled = KubernetesObject(*deployment()[:3], {"spec": {**deployment().body["spec"]}})
    del scaled.body["spec"]["replicas"]
    made = rollout_objects(
        scaled, CanaryRollout(), catalog.engines()["vllm"], namespace="vision", has_gpus=True, start_seconds=1800
    )
    assert "replicas" not in made[-1].body["spec"]


def test_a_canary_takes_no_old_pod_away_before_a_new_one_is_ready() -> None:
    steps = strategy(CanaryRollout())["canary"]
    assert (steps["maxSurge"], steps["maxUnavailable"]) == (1, 0)
    assert [next(iter(step)) for step in steps["steps"]] == ["setWeight", "analysis", "pause"]
    assert steps["steps"][-1] == {"pause": {}}
    assert "trafficRouting" not in steps


def test_pool_and_quota_must_hold_both_versions() -> None:
    assert replicas_needed(None, 3) == 3
    assert replicas_needed(BlueGreenRollout(), 3) == 6
    # It is whole before it takes over, whatever it was until then.
    assert replicas_needed(BlueGreenRollout(preview_replica_count=1), 3) == 6
    assert replicas_needed(CanaryRollout(max_surge=2), 3) == 5


def test_a_version_is_judged_by_its_own_pods_in_its_own_namespace() -> None:
    for metric in metrics(BlueGreenRollout(pre_promotion_analysis=LATENCY), "chat-pre-promotion").values():
        matchers = 'namespace="vision",eksml_dev_server="chat",rollouts_pod_template_hash="{{args.pod-template-hash}}"'
        assert matchers in query(metric)
        assert metric["provider"]["prometheus"]["address"] == names.PROMETHEUS_URL


@pytest.mark.parametrize("engine", catalog.engines())
def test_percentile_and_lookback_reach_the_queries_of_every_engine(engine: str) -> None:
    latency = LatencySpec(percentile=50, limit_ms=1500)
    rollout = BlueGreenRollout(pre_promotion_analysis=AnalysisSpec(latency=latency, lookback_seconds=300))
    judged = metrics(rollout, "chat-pre-promotion", engine=engine)
    assert "0.95" not in query(judged["latency"])
    assert "0.5" in query(judged["latency"])
    assert judged["latency"]["successCondition"].endswith("result[0] <= 1.5")
    assert judged["latency"]["initialDelay"] == "300s"
    for metric in ("latency", "success-rate"):
        assert metric not in judged or "[2m]" not in query(judged[metric])
    assert "[300s]" in query(judged["latency"]) or engine == "triton"


def test_errors_of_gpus_are_judged_where_there_are_gpus() -> None:
    judged = metrics(BlueGreenRollout(), "chat-pre-promotion")
    assert judged["gpu-errors"]["failureCondition"] == "len(result) > 0 && result[0] > 0"
    assert set(metrics(BlueGreenRollout(), "chat-pre-promotion", has_gpus=False)) == {"success-rate"}


@pytest.mark.parametrize("engine", NO_ERRORS_MEASURED)
def test_what_cannot_be_measured_is_not_asked_for(engine: str) -> None:
    made = objects(CanaryRollout(), engine, has_gpus=False)
    assert [each.kind for each in made] == ["Rollout"]
    assert made[0].body["spec"]["strategy"]["canary"]["steps"] == [{"setWeight": 25}, {"pause": {}}]
    whole = objects(BlueGreenRollout(), engine, has_gpus=False)[-1].body["spec"]["strategy"]["blueGreen"]
    assert not [key for key in whole if key.endswith("Analysis")]


@pytest.mark.parametrize("engine", catalog.engines())
def test_an_engine_without_a_metric_of_errors_is_not_promoted_by_itself(engine: str) -> None:
    facts = catalog.engines()[engine]
    by_itself = CanaryRollout(steps=(WeightStep(percent=50), AnalysisStep()))
    found = [str(each) for rollout in (AUTOMATIC, by_itself) for each in rollout_problems(rollout, facts)]
    if engine in NO_ERRORS_MEASURED:
        reason = f"the errors of {facts.title} cannot be measured (KServe's Python server counts no failures)"
        assert found == [
            f"autoPromotionEnabled: must be false: {reason}",
            f"steps: must have a pause without seconds: {reason}",
        ]
    else:
        assert found == []
    assert list(rollout_problems(BlueGreenRollout(), facts)) == list(rollout_problems(CanaryRollout(), facts)) == []


def test_a_latency_that_is_not_measured_is_refused() -> None:
    engine = catalog.engines()["vllm"]
    blind = engine.model_copy(
        update={
            "analysis": engine.analysis.model_copy(
                update={"latency": catalog.AnalysisQuery(query=None, reason="it has no such metric")}
            )
        }
    )
    (found,) = rollout_problems(BlueGreenRollout(post_promotion_analysis=LATENCY), blind)
    assert str(found) == (
        "postPromotionAnalysis.latency: given, but the latency of vLLM cannot be measured (it has no such metric)"
    )


@pytest.mark.parametrize(
    ("rollout", "found"),
    [
        (
            {"kind": "blueGreen", "autoPromotionEnabled": True},
            "rollout.previewLoad: missing, must be given with autoPromotionEnabled: without requests there is nothing "
            "to measure",
        ),
        (
            {"kind": "blueGreen", "autoPromotionEnabled": True, "prePromotionAnalysis": None},
            "rollout.prePromotionAnalysis: null, must be given with autoPromotionEnabled: else every version that "
            "starts is promoted",
        ),
        (
            {"kind": "blueGreen", "prePromotionAnalysis": None, "previewLoad": {"path": "/", "body": "{}"}},
            "rollout.previewLoad: given, but has no effect without prePromotionAnalysis",
        ),
        (
            {"kind": "blueGreen", "prePromotionAnalysis": {"failureLimit": 3, "inconclusiveLimit": 2}},
            "rollout.prePromotionAnalysis.count: 5 given, must be more than failureLimit and inconclusiveLimit "
            "together (5): else no measurement has to be good",
        ),
        (
            {"kind": "blueGreen", "previewLoad": {"path": "/", "body": "{{}}"}},
            "rollout.previewLoad.body: has '{{' in it, which Argo Rollouts would replace: put a space between the "
            "braces",
        ),
        (
            {"kind": "canary", "steps": [{"kind": "weight", "percent": 50}, {"kind": "pause", "seconds": 60}]},
            "rollout.steps: neither a pause without seconds nor an analysis is among them: nobody and nothing would "
            "look",
        ),
        (
            {"kind": "canary", "steps": [{"kind": "pause"}], "analysis": {}},
            "rollout.analysis: given, but has no effect without a step of kind analysis",
        ),
    ],
)
def test_what_would_promote_unseen_or_has_no_effect_is_refused(rollout: dict[str, Any], found: str) -> None:
    assert problems(Holder, {"rollout": rollout}) == [found]


def test_it_is_chosen_by_its_kind() -> None:
    assert TypeAdapter(RolloutSpec).validate_python({"kind": "canary"}) == CanaryRollout()


def test_a_preview_gets_requests_from_a_job_on_the_nodes_of_the_server_while_it_is_judged() -> None:
    load = metrics(AUTOMATIC, "chat-pre-promotion")["load"]["provider"]["job"]["spec"]
    pod = load["template"]["spec"]
    assert (pod["nodeSelector"], pod["tolerations"]) == ({"eksml.dev/pool": "serve"}, [names.gpu_toleration()])
    variables = {each["name"]: each["value"] for each in pod["containers"][0]["env"]}
    assert variables["URL"] == "http://chat-preview.vision.svc:8000/v1/completions"
    # Two minutes of looking back before the first measurement, and five of them a minute apart.
    assert variables["LOAD_SECONDS"] == "420"
    assert load["activeDeadlineSeconds"] > 420
    assert "load" not in metrics(AUTOMATIC, "chat-post-promotion")


def test_the_image_of_the_load_comes_from_a_registry_of_ones_own() -> None:
    made = rollout_objects(
        deployment(),
        AUTOMATIC,
        catalog.engines()["vllm"],
        namespace="vision",
        has_gpus=True,
        start_seconds=1800,
        image_registry="registry.example.com",
    )
    found = of_kind(made, "AnalysisTemplate")["chat-pre-promotion"]["metrics"][-1]["provider"]["job"]["spec"]
    image = found["template"]["spec"]["containers"][0]["image"]
    assert image == f"registry.example.com/{catalog.images()['python'].reference}"


class Preview(BaseHTTPRequestHandler):
    received: list[tuple[str, str]] = []  # noqa: RUF012

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.received.append((self.path, body))
        self.send_response(500 if len(self.received) == 1 else 200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def test_the_load_goes_on_after_an_error_and_ends_by_itself() -> None:
    load = metrics(AUTOMATIC, "chat-pre-promotion")["load"]["provider"]["job"]["spec"]
    (container,) = load["template"]["spec"]["containers"]
    with HTTPServer(("127.0.0.1", 0), Preview) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        variables = {
            **os.environ,
            **{each["name"]: each["value"] for each in container["env"]},
            "URL": f"http://127.0.0.1:{server.server_port}/v1/completions",
            "LOAD_SECONDS": "0.5",
            "PAUSE_SECONDS": "0.05",
        }
        command = [sys.executable, *container["command"][1:]]
        result = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=30, check=True)
        server.shutdown()
    assert len(Preview.received) > 2
    assert set(Preview.received) == {("/v1/completions", '{"prompt": "a"}')}
    assert "500" in result.stdout


def run_promtool(folder: Path, *command: str, content: Any) -> None:
    (folder / "file.yaml").write_text(yaml.safe_dump(content))
    arguments = [need_program("promtool", "prometheus"), *command, "file.yaml"]
    result = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_query_of_every_analysis_is_promql(tmp_path: Path) -> None:
    rollout = BlueGreenRollout(pre_promotion_analysis=LATENCY)
    rules = [
        {"record": f"{engine}:{name}".replace("-", "_"), "expr": query(metric)}
        for engine in catalog.engines()
        for name, metric in metrics(rollout, "chat-pre-promotion", engine=engine).items()
    ]
    assert len(rules) > 15
    run_promtool(tmp_path, "check", "rules", content={"groups": [{"name": "analysis", "rules": rules}]})


def test_the_old_version_does_not_speak_for_the_new_one(tmp_path: Path) -> None:
    asked = query(metrics(CanaryRollout(), "chat-canary")["success-rate"])

    def counted(version: str, status: str) -> dict[str, str]:
        labels = (
            f'namespace="vision",pod="chat-{version}-0",eksml_dev_server="chat",'
            f'rollouts_pod_template_hash="{version}",handler="/v1/completions",status="{status}"'
        )
        return {"series": f"http_requests_total{{{labels}}}", "values": "0+60x10"}

    expected = {"old": [{"value": 1}], "new": [{"value": 0}], "without-requests": []}
    tests = [
        {"expr": asked.replace("{{args.pod-template-hash}}", version), "eval_time": "5m", "exp_samples": samples}
        for version, samples in expected.items()
    ]
    series = [counted("old", "2xx"), counted("new", "5xx")]
    case = {"interval": "1m", "input_series": series, "promql_expr_test": tests}
    run_promtool(tmp_path, "test", "rules", content={"tests": [case]})


def test_a_server_does_not_wait_for_the_pods_of_a_preview_that_come_later_and_leaves_selectors_to_argo() -> None:
    plan = server("vllm", rollout=BlueGreenRollout())
    services = {each.name: each for each in plan.of_type("kubernetes:core/v1:Service")}
    assert set(services) == {"chat", "chat-preview"}
    for service in services.values():
        assert service.inputs["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true"
        assert service.inputs["spec"]["selector"] == {names.SERVER_LABEL: "chat"}
    assert names_of(plan, "kubernetes:argoproj.io/v1alpha1:Rollout") == ["chat"]
    assert plan.of_type("kubernetes:apps/v1:Deployment") == []
