"""The client of language models and the load test, against the server of Transformers with a tiny model."""

import json
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from workloads.clients import load_test, refused, said
from workloads.model_servers import model_server
from workloads.scripts import free_port

pytestmark = pytest.mark.workload(module="locust", group="workload-clients")

TOKENS = 8


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    folder = tmp_path_factory.mktemp("transformers")
    with model_server("transformers", folder, "/health", str(folder / "models")) as address:
        yield address


class Guarded(BaseHTTPRequestHandler):
    """As vLLM with an API key and a context of 16 tokens tells of its model."""

    def do_GET(self) -> None:
        known = self.headers["Authorization"] == "Bearer secret"
        self.send_response(200 if known else 401)
        self.end_headers()
        answer = {"data": [{"id": "small", "max_model_len": 16}]} if known else {"error": "Unauthorized"}
        self.wfile.write(json.dumps(answer).encode())


@pytest.fixture(scope="module")
def guarded() -> Generator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Guarded) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_server_that_wants_a_key_gets_it(guarded: str) -> None:
    assert "set API_KEY" in refused("openai_client", "--url", guarded, "What is a pod?")
    assert "401" not in refused("openai_client", "--url", guarded, "What is a pod?", API_KEY="secret")


def test_more_tokens_than_the_context_are_refused(guarded: str) -> None:
    arguments = ("--url", guarded, "--max-tokens", "16", "What is a pod?")
    error = refused("openai_client", *arguments, API_KEY="secret")
    assert error == "--max-tokens: 16 given, small has 16, with those of the prompt\n"


def test_the_answer_is_the_models(url: str) -> None:
    arguments = ("--url", url, "--max-tokens", str(TOKENS), "What is a pod?")
    answer = said("openai_client", *arguments)
    assert answer.strip()
    # The model always says the same, whoever names it.
    assert said("openai_client", "--model", "eksml/tiny", *arguments) == answer


def test_a_text_is_completed(url: str) -> None:
    assert said("openai_client", "--url", url, "--complete", "--max-tokens", str(TOKENS), "A pod is").strip()


def test_a_model_that_is_not_there_is_refused_with_those_that_are(url: str) -> None:
    error = refused("openai_client", "--url", url, "--model", "eksml/large", "What is a pod?")
    assert error == "--model: eksml/large given, the server has eksml/tiny\n"


def test_a_server_that_is_not_there_is_said_to_be() -> None:
    assert "nobody listens" in refused("openai_client", "--url", f"http://localhost:{free_port()}", "What is a pod?")


def test_a_wrong_address_is_said_to_be_one(url: str) -> None:
    assert ": 404: " in refused("openai_client", "--url", f"{url}/openai", "What is a pod?")


def test_a_load_test_counts_tokens(url: str, tmp_path: Path) -> None:
    one, two = load_test(
        "openAi", tmp_path, "--url", url, "--max-tokens", str(TOKENS), "--hourly-cost", "3.6",
        "--concurrency", "1,2", "--duration", "8", "--warm-up", "2",
    )  # fmt: skip
    for step in (one, two):
        assert step["errors"] == 0
        assert step["tokensPerSecond"] == pytest.approx(TOKENS * step["requestsPerSecond"])
        assert 0 < step["timeToFirstTokenSeconds"]["p50"] < step["latencySeconds"]["p50"]
        assert 0 < step["interTokenLatencySeconds"]["p50"] < step["latencySeconds"]["p50"]
        assert step["usdPerMillionTokens"] == pytest.approx(1000 / step["tokensPerSecond"])
