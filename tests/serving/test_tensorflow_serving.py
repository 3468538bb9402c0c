"""TensorFlow Serving: its files, its arguments, and what is refused."""

import re
from typing import Any

import pytest

from eksml.errors import SpecError
from eksml.serving.tensorflow_serving import TensorFlowBatching, TensorFlowModel
from programs import one
from serving.model_servers import pod_of, server, spec_of

SEVERAL = {
    "resnet": TensorFlowModel(versions=(3, 7), labels={"stable": 3, "canary": 7}),
    "bert": TensorFlowModel(path="language/bert"),
}


def files(**settings: Any) -> dict[str, str]:
    plan = server("tensorflowServing", **{"warm_up": None, **settings})
    return one(plan, "kubernetes:core/v1:ConfigMap").inputs["data"]


def options(**settings: Any) -> dict[str, str]:
    given = pod_of(server("tensorflowServing", **settings), "tensorflowServing")["containers"][0]["args"]
    return dict(each.split("=", 1) for each in given)


def test_models_have_their_folders_versions_and_labels() -> None:
    text = files(models=SEVERAL)["models.config"]
    assert text.count("  config {\n") == 2
    assert 'base_path: "/models/language/bert"' in text
    assert "model_version_policy { specific { versions: 3 versions: 7 } }" in text
    assert 'version_labels { key: "canary" value: 7 }' in text
    # Without versions the newest is served, as soon as it is there.
    assert files()["models.config"].count("model_version_policy") == 0


def test_labels_can_be_given_before_their_versions_are_loaded() -> None:
    assert options(models=SEVERAL)["--allow_version_labels_for_unavailable_models"] == "true"


def test_metrics_are_where_prometheus_asks() -> None:
    assert 'path: "/monitoring/prometheus/metrics"' in files()["monitoring.config"]
    assert options()["--monitoring_config_file"] == "/etc/server/monitoring.config"


def test_batches_are_those_of_the_spec() -> None:
    batching = TensorFlowBatching(max_size=16, timeout_ms=2.5, sizes=(4, 16), threads=3)
    text = files(batching=batching)["batching.config"]
    assert text.splitlines() == [
        "max_batch_size { value: 16 }",
        "batch_timeout_micros { value: 2500 }",
        "num_batch_threads { value: 3 }",
        "max_enqueued_batches { value: 100 }",
        "allowed_batch_sizes: 4",
        "allowed_batch_sizes: 16",
    ]
    assert options(batching=batching)["--enable_batching"] == "true"
    assert "--enable_batching" not in options(batching=None)


def test_it_listens_where_its_service_leads() -> None:
    assert (options()["--rest_api_port"], options()["--port"]) == ("8501", "8500")


def test_of_a_shared_gpu_it_takes_a_share() -> None:
    assert options(memory_fraction=0.4)["--per_process_gpu_memory_fraction"] == "0.4"


def test_other_files_are_another_config_map_so_that_pods_follow() -> None:
    one_set, other = (
        one(server("tensorflowServing", warm_up=None, models=models), "kubernetes:core/v1:ConfigMap").name
        for models in (SEVERAL, {"resnet": TensorFlowModel()})
    )
    assert one_set != other


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"models": {"resnet": {"path": "resnet/1"}}}, "'resnet/1' given, must be the folder of the model"),
        ({"models": {"resnet": {"versions": [1, 1]}}}, "versions: one stands twice"),
        ({"models": {"resnet": {"labels": {"stable": 1}}}}, "labels.stable: 1 given, but give it in versions too"),
        ({"batching": {"sizes": [8, 4]}}, "sizes: must rise from one to the next"),
        ({"batching": {"sizes": [8], "max_size": 16}}, "sizes: 8 is the last one, must be maxSize, 16"),
        ({"gpus_per_node": 0, "memory_fraction": 0.5}, "memoryFraction: given, but has no effect with no GPU"),
    ],
)
def test_what_it_could_not_serve_is_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError, match=re.escape(problem)):
        spec_of("tensorflowServing", **settings)
