"""Model servers and their metrics: what autoscaling and analysis stand on."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from eksml import catalog
from eksml.catalog import for_pods, series_in
from parts import need_program

KINDS = {"vllm", "rayServeVllm", "triton", "tensorflowServing", "transformers", "kserve", "openVino"}
PODS = {"namespace": "vision", "eksml_dev_server": "chat"}
OF_THE_POD = 'namespace="vision",pod="chat-0",eksml_dev_server="chat"'


def queries(engine: catalog.Engine) -> dict[str, str]:
    judged = {name: getattr(engine.analysis, name).query for name in catalog.Analysis.model_fields}
    scaled = {name: signal.query for name, signal in engine.signals.items()}
    return {name: query for name, query in {**scaled, **judged}.items() if query}


def promtool(folder: Path, *command: str, **files: Any) -> None:
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    arguments = [need_program("promtool", "prometheus"), *command]
    result = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_there_is_an_engine_of_each_kind() -> None:
    assert set(catalog.engines()) == KINDS


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_engine_has_images_of_the_catalog_and_ports_of_its_own(kind: str) -> None:
    engine = catalog.engines()[kind]
    named = {
        engine.image,
        *([engine.cpu_image] if engine.cpu_image else []),
        *(b.image for b in engine.backends.values()),
    }
    assert named <= set(catalog.images())
    assert engine.ports.http != engine.ports.grpc != engine.ports.metrics
    assert all(
        path.startswith("/") for path in (engine.metrics_path, *engine.health_paths.model_dump().values()) if path
    )
    assert engine.default_signal in engine.signals
    assert all(signal.target > 0 for signal in engine.signals.values())


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_query_reads_only_what_its_engine_or_the_exporter_of_gpus_has_for_the_pods_asked_for(kind: str) -> None:
    engine = catalog.engines()[kind]
    known = frozenset().union(*(catalog.exporters()[each].series for each in (engine.exporter, "dcgm", "prometheus")))
    for name, query in queries(engine).items():
        assert series_in(query), name
        assert series_in(query) <= known, name
        unlimited = {series for series in series_in(query) if f"{series}{{$pods" not in query}
        assert all(series.startswith("DCGM_") for series in unlimited), name
        assert not unlimited or "and on (namespace, pod) up{$pods}" in query, name


def test_a_label_that_a_query_chooses_by_is_one_that_the_metric_has() -> None:
    chosen = {"http_requests_total": {"handler", "status"}, "nv_inference_request_failure": {"reason"}}
    labels = {name: metric.labels for each in catalog.exporters().values() for name, metric in each.metrics.items()}
    assert all(names <= set(labels[metric]) for metric, names in chosen.items())


def test_what_cannot_be_measured_says_why() -> None:
    for engine in catalog.engines().values():
        for name in catalog.Analysis.model_fields:
            query = getattr(engine.analysis, name)
            assert (query.query is None) == (query.reason is not None), (engine.title, name)
    unmeasured = {kind for kind, engine in catalog.engines().items() if engine.analysis.success_rate.query is None}
    assert unmeasured == {"transformers", "kserve"}


def test_triton_has_a_backend_for_what_the_documents_name_and_none_for_tensorflow() -> None:
    triton = catalog.engines()["triton"]
    assert set(triton.backends) == {"onnxruntime", "pytorch", "tensorrt", "python", "vllm", "tensorrtllm", "openvino"}
    assert "ONNX" in triton.removed_backends["tensorflow"]
    assert {name for name, backend in triton.backends.items() if backend.image != triton.image} == {
        "vllm",
        "tensorrtllm",
    }


def test_the_series_of_a_query_are_found_among_functions_labels_and_texts() -> None:
    query = (
        'histogram_quantile(0.95, sum by (le) (rate(:a:b_bucket{x="y{",z!~"c|d"}[2m]))) / 1e6 and on (pod) up > bool 1'
    )
    assert series_in(query) == {":a:b_bucket", "up"}


def test_every_query_is_promql(tmp_path: Path) -> None:
    rules = [
        {"record": f"{kind}:{name}", "expr": for_pods(query, **PODS)}
        for kind, engine in catalog.engines().items()
        for name, query in queries(engine).items()
    ]
    promtool(tmp_path, "check", "rules", "rules.yaml", rules={"groups": [{"name": "catalog", "rules": rules}]})


def counted(name: str, labels: str, per_minute: int) -> dict[str, str]:
    return {"series": f"{name}{{{OF_THE_POD},{labels}}}", "values": f"0+{per_minute}x10"}


NINE_OF_TEN = {
    "vllm": [
        counted("http_requests_total", 'handler="/v1/completions",status="2xx"', 90),
        counted("http_requests_total", 'handler="/v1/completions",status="5xx"', 10),
        counted("http_requests_total", 'handler="/v1/completions",status="4xx"', 900),
        counted("http_requests_total", 'handler="none",status="5xx"', 900),
    ],
    "rayServeVllm": [
        counted("ray_serve_num_http_requests_total", 'route="/",status_code="200"', 90),
        counted("ray_serve_num_http_requests_total", 'route="/",status_code="500"', 10),
        counted("ray_serve_num_http_requests_total", 'route="/",status_code="404"', 900),
        counted("ray_serve_num_http_requests_total", 'route="/-/healthz",status_code="200"', 900),
    ],
    "triton": [
        counted("nv_inference_request_success", 'model="a"', 90),
        counted("nv_inference_request_failure", 'model="a",reason="BACKEND"', 10),
        counted("nv_inference_request_failure", 'model="a",reason="CANCELED"', 900),
    ],
    "tensorflowServing": [
        counted(":tensorflow:serving:request_count", 'status="OK"', 90),
        counted(":tensorflow:serving:request_count", 'status="INTERNAL"', 10),
        counted(":tensorflow:serving:request_count", 'status="INVALID_ARGUMENT"', 900),
    ],
    "openVino": [
        counted("ovms_requests_success", 'method="ModelInfer"', 90),
        counted("ovms_requests_fail", 'method="ModelInfer"', 10),
        counted("ovms_requests_success", 'method="ModelReady"', 900),
    ],
}


def is_valued(folder: Path, cases: list[tuple[list[dict[str, str]], str, float | None]]) -> None:
    """Holds each query to its value after five minutes of its series; None: it has none."""
    tests = [
        {
            "interval": "1m",
            "input_series": series,
            "promql_expr_test": [
                {"expr": query, "eval_time": "5m", "exp_samples": [] if value is None else [{"value": value}]}
            ],
        }
        for series, query, value in cases
    ]
    promtool(folder, "test", "rules", "values.yaml", values={"tests": tests})


def rate_of(kind: str) -> str:
    query = catalog.engines()[kind].analysis.success_rate.query
    assert query
    # To the hundredth, since promtool compares exactly.
    return f"round({for_pods(query, **PODS)}, 0.01)"


def test_one_failure_in_ten_is_a_success_rate_of_nine_tenths_and_what_the_client_got_wrong_is_no_failure(
    tmp_path: Path,
) -> None:
    assert set(NINE_OF_TEN) == {
        kind for kind, engine in catalog.engines().items() if engine.analysis.success_rate.query
    }
    is_valued(tmp_path, [(series, rate_of(kind), 0.9) for kind, series in NINE_OF_TEN.items()])


def test_a_server_that_answers_nothing_has_a_success_rate_of_zero(tmp_path: Path) -> None:
    failures = {kind: [each for each in series if "0+10x" in each["values"]] for kind, series in NINE_OF_TEN.items()}
    never_absent = {"triton", "openVino"}  # They export zero for a counter that has not counted yet.
    is_valued(tmp_path, [(series, rate_of(kind), 0) for kind, series in failures.items() if kind not in never_absent])


def test_a_server_that_is_not_measured_has_no_success_rate(tmp_path: Path) -> None:
    others = [{**each, "series": each["series"].replace("chat", "other")} for each in NINE_OF_TEN["triton"]]
    is_valued(tmp_path, [(others, rate_of("triton"), None)])


def test_gpus_are_judged_by_the_pods_that_have_them(tmp_path: Path) -> None:
    errors = catalog.engines()["vllm"].analysis.gpu_errors.query
    busy = catalog.engines()["vllm"].signals["gpuUtilization"].query
    assert errors
    series = [
        {"series": f"up{{{OF_THE_POD}}}", "values": "1x10"},
        {"series": 'up{namespace="vision",pod="chat-1",eksml_dev_server="chat"}', "values": "1x10"},
        {"series": 'DCGM_FI_DEV_XID_ERRORS{namespace="vision",pod="chat-0",gpu="0"}', "values": "0 0 79x8"},
        {"series": 'DCGM_FI_DEV_XID_ERRORS{namespace="vision",pod="other-0",gpu="0"}', "values": "0 0 13x8"},
        {"series": 'DCGM_FI_DEV_GPU_UTIL{namespace="vision",pod="chat-0",gpu="0"}', "values": "100x10"},
        {"series": 'DCGM_FI_DEV_GPU_UTIL{namespace="vision",pod="chat-0",gpu="1"}', "values": "50x10"},
        {"series": 'DCGM_FI_DEV_GPU_UTIL{namespace="vision",pod="chat-1",gpu="0"}', "values": "25x10"},
        {"series": 'DCGM_FI_DEV_GPU_UTIL{namespace="vision",pod="other-0",gpu="0"}', "values": "99x10"},
    ]
    is_valued(tmp_path, [(series, for_pods(errors, **PODS), 1), (series, for_pods(busy, **PODS), 100)])
    is_valued(tmp_path, [(series[:2], for_pods(errors, **PODS), None)])


def test_time_spent_on_requests_is_how_many_are_in_progress(tmp_path: Path) -> None:
    query = catalog.engines()["tensorflowServing"].signals["requestsInProgress"].query
    # Four requests at a time for a minute are 240 seconds.
    series = [counted(":tensorflow:serving:request_latency_sum", 'API="predict"', 240_000_000)]
    is_valued(tmp_path, [(series, for_pods(query, **PODS), 4)])
