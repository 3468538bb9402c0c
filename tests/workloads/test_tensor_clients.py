"""Clients of models of tensors, and the load test, against a real Triton and KServe's own server.

TensorFlow Serving itself is in no package registry; KServe's version 1 is its protocol. Nor is OpenVINO Model Server,
which speaks the protocol of Triton and KServe.
"""

import json
from collections.abc import Generator
from pathlib import Path

import pytest

from workloads.clients import load_test, refused, said
from workloads.model_servers import model_server
from workloads.scripts import free_port

pytestmark = pytest.mark.workload(module="locust", group="workload-clients")

SECONDS = 0.2
CLIENTS = {"openInference": "open_inference_client", "tensorflowServing": "tensorflow_serving_client"}
EVERY_PROTOCOL = pytest.mark.parametrize("protocol", CLIENTS)


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Generator[dict[str, str]]:
    triton, kserve = tmp_path_factory.mktemp("triton"), tmp_path_factory.mktemp("kserve")
    with (
        model_server("triton", triton, "/v2/models/double/ready", str(SECONDS), str(triton)) as first,
        model_server("kserve", kserve, "/v1/models/double", str(SECONDS)) as second,
    ):
        yield {"openInference": first, "tensorflowServing": second}


def json_file(folder: Path, content: object) -> str:
    file = folder / "input.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return str(file)


@EVERY_PROTOCOL
def test_the_answer_is_the_models(protocol: str, urls: dict[str, str], tmp_path: Path) -> None:
    given = json_file(tmp_path, [[[1, 2, 3], [4, 5, 6]]])
    answer = said(CLIENTS[protocol], "--url", urls[protocol], "--model", "double", "--input", given)
    assert "[1, 2, 3]\n" in answer
    assert [float(number) for number in answer.partition("\n")[2].translate({91: " ", 93: " "}).split()] == [
        *(2, 4, 6),
        *(8, 10, 12),
    ]


@EVERY_PROTOCOL
def test_an_array_of_numpy_is_taken(protocol: str, urls: dict[str, str], tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    numpy.save(tmp_path / "input.npy", numpy.ones((4, 2, 3), "float32"))
    given = str(tmp_path / "input.npy")
    assert "[4, 2, 3]\n" in said(CLIENTS[protocol], "--url", urls[protocol], "--model", "double", "--input", given)


@EVERY_PROTOCOL
def test_without_an_input_the_shape_of_the_signature_is_made(protocol: str, urls: dict[str, str]) -> None:
    arguments = ("--url", urls[protocol], "--model", "double", "--batch-size", "2")
    assert "[2, 2, 3]\n" in said(CLIENTS[protocol], *arguments)


@EVERY_PROTOCOL
@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([[[1, 2], [3, 4]]], "image: shape [1, 2, 2] given, must be [any, 2, 3]\n"),
        ([[1, 2, 3], [4, 5, 6]], "image: shape [2, 3] given, must be [any, 2, 3]\n"),
        ([[[1, 2, 3], [4, 5]]], "image: not an array of float32"),
        ({"picture": [[[1]]]}, "--input: picture given, the model takes image: float32 [any, 2, 3]\n"),
    ],
)
def test_another_shape_is_refused(
    protocol: str, given: object, text: str, urls: dict[str, str], tmp_path: Path
) -> None:
    arguments = ("--url", urls[protocol], "--model", "double", "--input", json_file(tmp_path, given))
    assert refused(CLIENTS[protocol], *arguments).startswith(text)


@EVERY_PROTOCOL
def test_a_server_that_is_not_there_is_said_to_be(protocol: str) -> None:
    error = refused(CLIENTS[protocol], "--url", f"http://localhost:{free_port()}", "--model", "double")
    assert "nobody listens" in error
    assert "port-forward" in error


def test_a_model_that_is_not_there_is_said_to_be(urls: dict[str, str]) -> None:
    error = refused("open_inference_client", "--url", urls["openInference"], "--model", "nobody")
    assert ": 404: " in error
    assert "'nobody' is not found" in error


@EVERY_PROTOCOL
def test_a_key_goes_over_no_open_line(protocol: str) -> None:
    arguments = ("--url", "http://models.example.com", "--model", "double")
    assert "take https" in refused(CLIENTS[protocol], *arguments, API_KEY="secret")


@EVERY_PROTOCOL
def test_a_load_test_measures_what_the_model_takes(protocol: str, urls: dict[str, str], tmp_path: Path) -> None:
    one, two = load_test(
        protocol, tmp_path, "--url", urls[protocol], "--model", "double", "--hourly-cost", "3.6",
        "--concurrency", "1,2", "--duration", "6", "--warm-up", "1",
    )  # fmt: skip
    assert one["errors"] == two["errors"] == 0
    # The rest is the way there and back, and a machine that others use too.
    assert SECONDS <= one["latencySeconds"]["p50"] < 2 * SECONDS
    assert one["requestsPerSecond"] == pytest.approx(1 / one["latencySeconds"]["p50"], rel=0.3)
    # At 0.001 dollars a second.
    assert one["usdPerThousandRequests"] == pytest.approx(1 / one["requestsPerSecond"])
    assert one["tokensPerSecond"] is None
    # Triton has one instance of the model and no batching: callers wait for each other. KServe's is asynchronous.
    assert two["latencySeconds"]["p50"] >= (2 if protocol == "openInference" else 1) * SECONDS


def test_the_price_is_that_of_the_catalog(urls: dict[str, str], tmp_path: Path) -> None:
    arguments = ("--url", urls["openInference"], "--model", "double", "--concurrency", "1", "--duration", "2")
    (step,) = load_test("openInference", tmp_path, *arguments, "--warm-up", "0", "--instance-type", "g6.2xlarge")
    dollars = step["usdPerThousandRequests"] * step["requestsPerSecond"] * 3600 / 1000
    assert dollars == pytest.approx(0.9776)


def test_an_instance_type_without_a_price_is_refused(urls: dict[str, str]) -> None:
    arguments = ("--url", urls["openInference"], "--model", "double", "--instance-type", "g6.nothing")
    assert "g6.nothing is not in the catalog" in refused("load_test", "openInference", *arguments)


def test_a_load_test_without_a_server_says_so() -> None:
    arguments = ("--url", f"http://localhost:{free_port()}", "--model", "double")
    assert "nobody listens" in refused("load_test", "openInference", *arguments)
