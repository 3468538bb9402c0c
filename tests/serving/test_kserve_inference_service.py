"""KServe's InferenceService: what KServe is told, and what it cannot do."""

import re
from pathlib import Path
from typing import Any

import pytest

from crds import check_admitted
from eksml.errors import SpecError
from programs import names_of
from serving.model_servers import made, pod_of, server, spec_of


def predictor(**settings: Any) -> dict[str, Any]:
    return made(server("kserve", **settings), "kserve").inputs["spec"]["predictor"]


def annotations(**settings: Any) -> dict[str, str]:
    return made(server("kserve", **settings), "kserve").inputs["metadata"]["annotations"]


def test_its_pod_is_that_of_the_transformers_server_by_kserves_name() -> None:
    plain, own = pod_of(server("transformers"), "transformers"), pod_of(server("kserve"), "kserve")
    assert own["containers"][0]["name"] == "kserve-container"
    assert own["containers"][0] | {"name": "server"} == plain["containers"][0]
    assert {key: own[key] for key in plain if key != "containers"} == {
        key: value for key, value in plain.items() if key != "containers"
    }


def test_a_fixed_number_of_pods_needs_no_autoscaler() -> None:
    found = predictor(replicas=2)
    assert (found["minReplicas"], found["maxReplicas"]) == (2, 2)
    assert "autoScaling" not in found
    assert annotations(replicas=2)["serving.kserve.io/autoscalerClass"] == "none"


def test_kserve_scales_by_what_the_catalog_measures(shared: Path) -> None:
    plan = server("kserve", autoscaling={"kind": "metric", "min_replicas": 2, "max_replicas": 5, "target": 3})
    check_admitted(made(plan, "kserve").inputs, shared)
    # KServe makes it, for its own Deployment.
    assert names_of(plan, "kubernetes:keda.sh/v1alpha1:ScaledObject") == []
    found = made(plan, "kserve").inputs["spec"]["predictor"]
    assert (found["minReplicas"], found["maxReplicas"]) == (2, 5)
    (metric,) = found["autoScaling"]["metrics"]
    assert metric["external"]["target"] == {"type": "Value", "value": "3"}
    query = metric["external"]["metric"]["query"]
    assert 'namespace="vision",eksml_dev_server="chat"' in query
    assert made(plan, "kserve").inputs["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"] == "keda"


def test_kserve_scales_by_cpus_with_kubernetes_own_autoscaler(shared: Path) -> None:
    plan = server("kserve", autoscaling={"kind": "cpu", "max_replicas": 3, "target_percent": 50})
    check_admitted(made(plan, "kserve").inputs, shared)
    assert names_of(plan, "kubernetes:autoscaling/v2:HorizontalPodAutoscaler") == []
    (metric,) = made(plan, "kserve").inputs["spec"]["predictor"]["autoScaling"]["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    assert made(plan, "kserve").inputs["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"] == "hpa"


def test_it_needs_kserve_and_what_scales_it() -> None:
    assert "serving.kserve" in set(spec_of("kserve").needs)
    scaled = spec_of("kserve", autoscaling={"kind": "metric", "max_replicas": 3})
    assert {"serving.kserve", "serving.keda", "observability.prometheus"} <= set(scaled.needs)


def test_its_mode_is_said_for_kserves_validation_goes_by_it() -> None:
    assert annotations()["serving.kserve.io/deploymentMode"] == "Standard"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"rollout": {"kind": "blueGreen"}}, "rollout: given, but KServe changes its Deployment itself"),
        (
            {
                "autoscaling": {
                    "kind": "metric",
                    "min_replicas": 0,
                    "max_replicas": 2,
                    "working_hours": [{"start": "08:00", "end": "18:00"}],
                }
            },
            "autoscaling.minReplicas: 0 given, must be at least 1: without Knative nothing wakes an InferenceService",
        ),
        (
            {"autoscaling": {"kind": "metric", "max_replicas": 2, "cooldown_seconds": 60}},
            "autoscaling.cooldownSeconds: given, but KServe, which makes the autoscaler, has no such setting",
        ),
        (
            {"autoscaling": {"kind": "cpu", "max_replicas": 2, "scale_down_seconds": 60}},
            "autoscaling.scaleDownSeconds: given, but KServe",
        ),
        (
            {"autoscaling": {"kind": "http", "max_replicas": 2}},
            "autoscaling: kind 'http' does not exist, must be metric or cpu",
        ),
        ({"batching": {"max_requests": 4}}, "batching: given, but has no effect with Transformers"),
    ],
)
def test_what_kserve_cannot_do_is_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError, match=re.escape(problem)):
        spec_of("kserve", **settings)
