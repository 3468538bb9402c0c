"""OpenVINO Model Server: the file of its models, and what it is refused."""

import json
from typing import Any

import pytest

from eksml.catalog import engines
from eksml.plan import Plan
from eksml.serving.openvino_server import OpenVinoServerSpec
from refusals import check_problems, problems
from serving.model_servers import pod_of, server

SPEC: dict[str, Any] = {
    "kind": "openVino",
    "namespace": "vision",
    "source": {"kind": "s3", "prefix": "teams/vision/models/"},
    "cpusPerNode": 4,
    "memoryGibPerNode": 8,
    "models": {"resnet": {}},
}


def entries(plan: Plan) -> list[dict[str, Any]]:
    (found,) = (each for each in plan.of_type("kubernetes:core/v1:ConfigMap") if "config.json" in each.inputs["data"])
    return [each["config"] for each in json.loads(found.inputs["data"]["config.json"])["model_config_list"]]


def test_each_model_has_its_folder_and_as_many_threads_as_the_pod_has_cpus() -> None:
    plan = server("openVino", models={"resnet": {}, "bert": {"performanceHint": "throughput"}}, cpus_per_node=3.5)
    assert entries(plan) == [
        {
            "name": name,
            "base_path": f"/models/{name}",
            "target_device": "CPU",
            "plugin_config": {"PERFORMANCE_HINT": hint, "INFERENCE_NUM_THREADS": 3},
        }
        for name, hint in (("resnet", "LATENCY"), ("bert", "THROUGHPUT"))
    ]


def test_a_model_says_all_that_is_set() -> None:
    model = {
        "batchSize": "auto",
        "threads": 2,
        "streams": 1,
        "inferRequests": 8,
        "precision": "bfloat16",
        "versions": [2, 3],
    }
    (entry,) = entries(server("openVino", models={"m": model}))
    assert entry["plugin_config"] == {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": 2,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "bf16",
    }
    assert (entry["batch_size"], entry["nireq"]) == ("auto", 8)
    assert entry["model_version_policy"] == {"specific": {"versions": [2, 3]}}


def test_it_listens_where_the_catalog_says_and_measures() -> None:
    given = pod_of(server("openVino"), "openVino")["containers"][0]["args"]
    facts = engines()["openVino"]
    assert {f"--rest_port={facts.ports.http}", f"--port={facts.ports.grpc}", *facts.metrics_arguments} <= set(given)


def test_the_bucket_is_not_listed_for_ever() -> None:
    given = pod_of(server("openVino"), "openVino")["containers"][0]["args"]
    assert "--file_system_poll_wait_seconds=0" in given


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"models": {"m": {"threads": 8}}}, ["models.m.threads: 8 given, must be at most the CPUs of a pod, 4"]),
        (
            {"arguments": ["--config_path=/x"]},
            ["arguments[0]: '--config_path=/x' given, but models says it"],
        ),
        (
            {"cpusPerNode": None, "memoryGibPerNode": None, "instanceType": "g6.2xlarge", "gpusPerNode": 1},
            ["image: openvino/model_server:2026.3.1 is for CPUs, and gpusPerNode is 1"],
        ),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, Any], found: list[str]) -> None:
    check_problems(problems(OpenVinoServerSpec, {**SPEC, **changes}), found)
