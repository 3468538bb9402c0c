"""A pod is ready once its server has answered a warm-up request, and not before."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import eksml
from eksml.secret_key import SecretKey
from eksml.serving.pod_scripts import script, scripts_config_map, scripts_mount, scripts_volume
from eksml.serving.warm_up import WARM_UP_PORT, WarmUp, default_request, warm_up_container
from eksml.spec import parse
from refusals import check_problems, problems
from serving.servers import Asked, Said, Server, free_port, serving

pytestmark = pytest.mark.slow

SCRIPT = Path(eksml.__file__).parent / "serving" / "scripts" / "warm_up.py"
PATIENCE_SECONDS = 20

Start = Callable[..., "Probe"]


class Probe:
    """A running warm-up, and what the kubelet would see of it."""

    def __init__(self, words: Sequence[str], port: int, environment: dict[str, str]):
        self.port = port
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **environment},
        )

    def ask(self) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def until(self, status: int, text: str = "") -> str:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            got, said = self.ask()
            if got == status and text in said:
                return said
            time.sleep(0.02)
        raise AssertionError(f"{status} {text!r} expected, {self.ask()} at last")

    def end(self) -> str:
        self.process.terminate()
        return self.process.communicate(timeout=5)[0]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts the command of the container, as the pod would, on ports of this machine."""
    probes: list[Probe] = []

    def begin(
        server_port: int, engine: Any = "vllm", environment: dict[str, str] | None = None, **settings: Any
    ) -> Probe:
        generates = engine in ("vllm", "transformers")
        request = default_request(engine, "m", generates=generates)
        container = warm_up_container(WarmUp(**settings), request, server_port=server_port, ready_path="/ready")
        words, port = container["command"][2:], free_port()
        words[words.index(str(WARM_UP_PORT))] = str(port)
        probes.append(Probe([*words, "--poll-seconds", "0.05"], port, environment or {}))
        return probes[-1]

    yield begin
    for probe in probes:
        probe.process.kill()
        probe.process.communicate()


def completions(asked: Asked) -> Said:
    if asked.path == "/ready":
        return Said()
    return Said(body=json.dumps({"choices": [{"text": "!"}]}).encode())


def posts(server: Server) -> list[Asked]:
    return [asked for asked in server.asked if asked.method == "POST"]


def test_it_is_ready_after_one_token(start: Start) -> None:
    with serving(completions) as server:
        probe = start(server.port)
        probe.until(200)
        (sent,) = posts(server)
    assert sent.path == "/v1/completions"
    assert json.loads(sent.body) == {"model": "m", "prompt": "Hello", "max_tokens": 1}
    assert sent.headers["Content-Type"] == "application/json"


def test_it_waits_for_a_server_that_comes_late(start: Start) -> None:
    port = free_port()
    probe = start(port)
    probe.until(503, "has not answered yet")
    with serving(lambda asked: Said(503), port):
        time.sleep(0.3)
        assert probe.ask()[0] == 503
    with serving(completions, port):
        probe.until(200)


def test_it_is_not_ready_while_the_request_is_slow(start: Start) -> None:
    def slow(asked: Asked) -> Said:
        if asked.method == "POST":
            time.sleep(1)
        return completions(asked)

    with serving(slow) as server:
        probe = start(server.port)
        probe.until(503)
        while not posts(server):
            time.sleep(0.02)
        assert probe.ask()[0] == 503
        probe.until(200)


def test_a_server_that_restarts_is_warmed_up_again(start: Start) -> None:
    port = free_port()
    probe = start(port)
    with serving(completions, port):
        probe.until(200)
    probe.until(503, "went away")
    with serving(completions, port) as again:
        probe.until(200)
        assert len(posts(again)) == 1


def test_a_busy_server_stays_ready(start: Start) -> None:
    busy = False

    def answer(asked: Asked) -> Said:
        if busy:
            time.sleep(7)
        return completions(asked)

    with serving(answer) as server:
        probe = start(server.port)
        probe.until(200)
        busy, before = True, len(server.asked)
        while len(server.asked) < before + 2:
            assert probe.ask()[0] == 200
            time.sleep(0.1)
        assert len(posts(server)) == 1


def test_a_refused_request_is_told_plainly_and_keeps_the_pod_out(start: Start) -> None:
    said = Said(404, b'{"message": "The model `m` does not exist."}')
    with serving(lambda asked: Said() if asked.path == "/ready" else said) as server:
        probe = start(server.port)
        reason = probe.until(503, "mistake in the settings")
        assert "POST /v1/completions: HTTP 404" in reason
        assert "The model `m` does not exist." in reason
        said = Said()
        probe.until(200)
    assert probe.end().count("mistake in the settings") == 1


@pytest.mark.parametrize("first", [Said(500, b"boom"), Said(429), Said(200, b"all of it", cut_after=3)])
def test_a_failed_request_is_tried_again(start: Start, first: Said) -> None:
    answers = [first]

    def answer(asked: Asked) -> Said:
        return answers.pop() if asked.method == "POST" and answers else completions(asked)

    with serving(answer) as server:
        probe = start(server.port)
        probe.until(200)
        assert len(posts(server)) == 2
    assert "failed and is tried again" in probe.end()


def test_a_request_that_takes_too_long_is_tried_again(start: Start) -> None:
    waits = [2.0]

    def answer(asked: Asked) -> Said:
        if asked.method == "POST" and waits:
            time.sleep(waits.pop())
        return completions(asked)

    with serving(answer) as server:
        probe = start(server.port, timeout_seconds=1)
        probe.until(503, "no answer within 1 s")
        probe.until(200)


def test_it_ends_at_once_when_it_is_told(start: Start) -> None:
    def slow(asked: Asked) -> Said:
        if asked.method == "POST":
            time.sleep(3)
        return completions(asked)

    with serving(slow) as server:
        probe = start(server.port)
        while not posts(server):
            time.sleep(0.02)
        began = time.monotonic()
        probe.process.send_signal(signal.SIGTERM)
        assert probe.process.wait(timeout=5) == 0
        assert time.monotonic() - began < 1


def test_several_requests_of_ones_own_are_sent_one_after_the_other(start: Start) -> None:
    with serving(completions) as server:
        start(server.port, path="/rerank", body='{"query": "é"}', count=3).until(200)
        assert [(each.path, json.loads(each.body)) for each in posts(server)] == [("/rerank", {"query": "é"})] * 3


def test_a_path_can_just_be_got(start: Start) -> None:
    with serving(completions) as server:
        start(server.port, method="GET", path="/warm").until(200)
        assert ("GET", "/warm") in {(each.method, each.path) for each in server.asked}
        assert posts(server) == []


def test_a_key_goes_along_and_is_not_printed(start: Start) -> None:
    with serving(completions) as server:
        probe = start(server.port, environment={"API_KEY": "open-sesame"})
        probe.until(200)
        (sent,) = posts(server)
        assert sent.headers["Authorization"] == "Bearer open-sesame"
    assert "sesame" not in probe.end()


def open_inference(metadata: dict[str, Any]) -> Callable[[Asked], Said]:
    """A server of the protocol that refuses what does not fit its model."""

    def answer(asked: Asked) -> Said:
        if asked.path == "/ready":
            return Said()
        if asked.path == "/v2/models/m":
            return Said(body=json.dumps(metadata).encode())
        head = int(asked.headers.get("Inference-Header-Content-Length", len(asked.body)))
        request, binary = json.loads(asked.body[:head]), asked.body[head:]
        for given, wanted in zip(request["inputs"], metadata["inputs"], strict=True):
            fits = len(given["shape"]) == len(wanted["shape"]) and all(
                size == limit or limit == -1 for size, limit in zip(given["shape"], wanted["shape"], strict=True)
            )
            if (given["name"], given["datatype"]) != (wanted["name"], wanted["datatype"]) or not fits:
                return Said(400, b'{"error": "unexpected shape"}')
        sizes = [each["parameters"]["binary_data_size"] for each in request["inputs"] if "parameters" in each]
        return Said() if sum(sizes) == len(binary) else Said(400, b'{"error": "unexpected size"}')

    return answer


def test_inputs_are_made_up_from_the_metadata_of_the_open_inference_protocol(start: Start) -> None:
    inputs = [
        {"name": "pixels", "datatype": "FP32", "shape": [-1, 2, 2]},
        {"name": "ids", "datatype": "INT64", "shape": [-1, -1]},
        {"name": "mask", "datatype": "BOOL", "shape": [1]},
        {"name": "text", "datatype": "BYTES", "shape": [-1, 1]},
    ]
    with serving(open_inference({"name": "m", "inputs": inputs})) as server:
        start(server.port, "triton").until(200)
        (sent,) = posts(server)
    assert sent.path == "/v2/models/m/infer"
    assert [(each["shape"], each["data"]) for each in json.loads(sent.body)["inputs"]] == [
        ([1, 2, 2], [0.0] * 4),
        ([1, 1], [0]),
        ([1], [False]),
        ([1, 1], ["warm up"]),
    ]


def test_numbers_of_16_bits_go_as_bytes(start: Start) -> None:
    inputs = [
        {"name": "pixels", "datatype": "FP16", "shape": [-1, 3]},
        {"name": "text", "datatype": "BYTES", "shape": [2]},
        {"name": "ids", "datatype": "INT32", "shape": [4]},
    ]
    with serving(open_inference({"name": "m", "inputs": inputs})) as server:
        start(server.port, "openVino").until(200)
        (sent,) = posts(server)
    head = int(sent.headers["Inference-Header-Content-Length"])
    assert sent.body[head:] == bytes(6) + b"\x07\0\0\0warm up" * 2 + bytes(16)
    assert json.loads(sent.body[:head])["parameters"] == {"binary_data_output": True}


@pytest.mark.parametrize("metadata", [{"name": "m", "inputs": []}, {"name": "m"}, {"inputs": [{"name": "x"}]}, []])
def test_metadata_without_inputs_is_a_mistake_in_the_settings(start: Start, metadata: Any) -> None:
    with serving(open_inference(metadata)) as server:
        start(server.port, "triton").until(503, "tells no inputs that could be made up")


def tensorflow_serving(inputs: dict[str, Any], signature: str = "serving_default") -> Callable[[Asked], Said]:
    definition = {"inputs": inputs, "outputs": {}, "method_name": "tensorflow/serving/predict"}
    signatures = {"__saved_model_init_op": {"inputs": {}, "method_name": ""}, signature: definition}
    metadata = {"model_spec": {"name": "m"}, "metadata": {"signature_def": {"signature_def": signatures}}}

    def answer(asked: Asked) -> Said:
        return Said(body=json.dumps(metadata if asked.path == "/v1/models/m/metadata" else {"outputs": []}).encode())

    return answer


def tensor(datatype: str, *sizes: int) -> dict[str, Any]:
    dimensions = [{"size": str(size), "name": ""} for size in sizes]
    return {"dtype": datatype, "tensor_shape": {"dim": dimensions, "unknown_rank": False}, "name": "x:0"}


@pytest.mark.parametrize("signature", ["serving_default", "classify"])
def test_inputs_are_made_up_from_the_signature_of_tensorflow_serving(start: Start, signature: str) -> None:
    inputs = {
        "image": tensor("DT_FLOAT", -1, 2, 2),
        "ids": tensor("DT_INT64", -1, 3),
        "text": tensor("DT_STRING", -1),
        "training": tensor("DT_BOOL"),
        "any": {"dtype": "DT_INT32", "tensor_shape": {"dim": [], "unknown_rank": True}},
    }
    with serving(tensorflow_serving(inputs, signature)) as server:
        start(server.port, "tensorflowServing").until(200)
        (sent,) = posts(server)
    assert sent.path == "/v1/models/m:predict"
    assert json.loads(sent.body) == {
        "signature_name": signature,
        "inputs": {
            "image": [[[0.0, 0.0], [0.0, 0.0]]],
            "ids": [[0, 0, 0]],
            "text": ["warm up"],
            "training": False,
            "any": [0],
        },
    }


@pytest.mark.parametrize(
    ("engine", "options", "path", "body"),
    [
        ("transformers", {"generates": True}, "/openai/v1/completions", {"model": "m", "prompt": "Hello"}),
        ("transformers", {"generates": False}, "/v1/models/m:predict", {"instances": ["Hello"]}),
        ("openVino", {"generates": True}, "/v3/completions", {"model": "m"}),
        ("vllm", {"generates": False}, "/v1/embeddings", {"model": "m", "input": "Hello"}),
        ("triton", {"generates": True, "backend": "vllm"}, "/v2/models/m/generate", {"text_input": "Hello"}),
        (
            "triton",
            {"generates": True, "backend": "tensorrtllm"},
            "/v2/models/m/generate",
            {"text_input": "Hello", "sampling_param_max_tokens": 1},
        ),
    ],
)
def test_every_engine_has_a_request_of_its_own(
    engine: Any, options: dict[str, Any], path: str, body: dict[str, Any]
) -> None:
    request = default_request(engine, "m", **options)
    assert request.path == path
    assert body.items() <= request.body.items()


def test_a_model_of_tensorflow_serving_is_asked_at_its_label() -> None:
    request = default_request("tensorflowServing", "m", generates=False, version="labels/stable")
    assert request.path == "/v1/models/m/labels/stable:predict"
    assert request.metadata_path == "/v1/models/m/labels/stable/metadata"


def test_the_container_asks_for_little_and_may_do_less() -> None:
    request = default_request("vllm", "m", generates=True)
    key = parse(SecretKey, {"secret": "server", "key": "key"})
    container = warm_up_container(WarmUp(), request, server_port=8000, ready_path="/health", api_key=key)
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["limits"]["memory"] == "256Mi"
    assert container["readinessProbe"]["httpGet"]["port"] == container["ports"][0]["containerPort"]
    assert {"name": "API_KEY", **key.as_value()} in container["env"]
    mount = scripts_mount()
    assert container["volumeMounts"] == [mount]
    assert container["command"][1] == f"{mount['mountPath']}/warm_up.py"


def test_the_program_comes_by_a_config_map_of_its_own_content() -> None:
    config_map = scripts_config_map("chat", "warm_up.py")
    assert config_map.body["data"] == {"warm_up.py": script("warm_up.py")}
    assert config_map.name.startswith("chat-scripts-")
    assert config_map.name != scripts_config_map("chat", "populate.py").name
    assert scripts_volume(config_map.name)["name"] == scripts_mount()["name"]


@pytest.mark.parametrize(
    ("settings", "beginnings"),
    [
        ({"method": "GET", "path": "/x", "body": {}}, ["body: given, but GET has none"]),
        ({"method": "GET"}, ["path: missing: the engine's own request is a POST"]),
        ({"path": "/x"}, ["body: missing: what is made up goes to the engine's own path only"]),
        ({"path": "x", "body": {}}, ["path: 'x' given"]),
        ({"body": "{"}, ["body: must be JSON"]),
        ({"count": 0}, ["count: 0 given"]),
        ({"method": "PUT"}, ["method: 'PUT' given"]),
    ],
)
def test_a_request_that_cannot_be_sent_is_refused(settings: dict[str, Any], beginnings: list[str]) -> None:
    check_problems(problems(WarmUp, settings), beginnings)
