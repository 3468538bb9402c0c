"""Keeps a pod out of service until its model server has answered a request.

It runs beside the server, with nothing but Python's standard library. The pod's readiness probe asks it: 200 once the
server is warm, 503 with the reason before. A server that goes away and comes back is warmed up again.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import os
import signal
import struct
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

SECONDS_TO_ANSWER = 5
"""How long the server may take to say that it is ready."""
LONGEST_PAUSE_SECONDS = 30
TEXT = "warm up"
"""What inputs of text are filled with."""

# https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
ELEMENT_BYTES = {
    **dict.fromkeys(("BOOL", "INT8", "UINT8"), 1),
    **dict.fromkeys(("INT16", "UINT16", "FP16", "BF16"), 2),
    **dict.fromkeys(("INT32", "UINT32", "FP32"), 4),
    **dict.fromkeys(("INT64", "UINT64", "FP64"), 8),
}
NOT_IN_JSON = {"FP16", "BF16"}
FLOATS = {"FP32", "FP64", "DT_FLOAT", "DT_DOUBLE", "DT_HALF", "DT_BFLOAT16"}


class RefusedError(Exception):
    """The server understood the request and will not answer it: a mistake in the request or the server's settings."""


class NotYetError(Exception):
    """The server does not answer, or not yet."""


class Answer(NamedTuple):
    """What the server said."""

    status: int
    body: bytes

    @property
    def text(self) -> str:
        """The beginning of the body, for people."""
        return " ".join(self.body[:500].decode(errors="replace").split())


class Request(NamedTuple):
    """What the server is sent."""

    body: bytes | None
    headers: Mapping[str, str]


class Server:
    """The model server in the same pod."""

    def __init__(self, port: int, ready_path: str):
        self.port = port
        self.ready_path = ready_path

    def ask(self, method: str, path: str, request: Request, seconds: float) -> Answer:
        """Sends one request and reads all of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        key = os.environ.get("API_KEY")
        headers = {**request.headers, **({"Authorization": f"Bearer {key}"} if key else {})}
        try:
            connection.request(method, path, request.body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read())
        finally:
            connection.close()

    def is_ready(self) -> bool | None:
        """Whether it says that it is ready; None: it has no time to say, for it is at work or stuck."""
        try:
            answer = self.ask("GET", self.ready_path, Request(None, {}), SECONDS_TO_ANSWER)
        except TimeoutError:
            return None
        except (OSError, http.client.HTTPException):
            return False
        return answer.status == http.HTTPStatus.OK


class WarmUp(NamedTuple):
    """What is asked of the server before it counts as warm."""

    method: str
    path: str
    body: str | None
    inputs: str | None
    """The protocol whose metadata says what the inputs are, if they are made up."""
    metadata_path: str | None
    count: int
    seconds: float

    def run(self, server: Server) -> None:
        """Sends the requests; raises RefusedError or NotYetError."""
        request = self._request(server)
        for _ in range(self.count):
            self._answered(server, self.method, self.path, request)

    def _request(self, server: Server) -> Request:
        if self.inputs is None or self.metadata_path is None:
            body = None if self.body is None else self.body.encode()
            return Request(body, {"Content-Type": "application/json"} if body else {})
        answer = self._answered(server, "GET", self.metadata_path, Request(None, {}))
        try:
            return MADE_UP[self.inputs](json.loads(answer.body))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            text = f"GET {self.metadata_path} tells no inputs that could be made up ({error!r}): {answer.text}"
            raise RefusedError(text) from None

    def _answered(self, server: Server, method: str, path: str, request: Request) -> Answer:
        try:
            answer = server.ask(method, path, request, self.seconds)
        except TimeoutError:
            raise NotYetError(f"{method} {path}: no answer within {self.seconds:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            raise NotYetError(f"{method} {path}: {error!r}") from None
        if 200 <= answer.status < 300:
            return answer
        text = f"{method} {path}: HTTP {answer.status}: {answer.text}"
        is_refusal = 300 <= answer.status < 500 and answer.status not in (408, 425, 429)
        raise RefusedError(text) if is_refusal else NotYetError(text)


def open_inference_request(metadata: Mapping[str, Any]) -> Request:
    """A request of the Open Inference Protocol with zeros for every input, as the model's metadata lists them."""
    tensors = [(each["name"], each["datatype"], fixed(each["shape"])) for each in metadata["inputs"]]
    if not tensors:
        raise ValueError("no inputs")
    datatypes = {each["datatype"] for each in (*metadata["inputs"], *metadata.get("outputs", ()))}
    if not datatypes & NOT_IN_JSON:
        inputs = [
            {"name": name, "datatype": datatype, "shape": shape, "data": [filling(datatype)] * math.prod(shape)}
            for name, datatype, shape in tensors
        ]
        return json_request({"inputs": inputs})
    # JSON has no numbers of 16 bits. The extension for binary data:
    # https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
    data = [binary(datatype) * math.prod(shape) for _, datatype, shape in tensors]
    inputs = [
        {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(content)}}
        for (name, datatype, shape), content in zip(tensors, data, strict=True)
    ]
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
    return Request(head + b"".join(data), headers)


def tensorflow_serving_request(metadata: Mapping[str, Any]) -> Request:
    """A request of TensorFlow Serving with zeros for every input of the default signature.

    https://www.tensorflow.org/tfx/serving/api_rest#request_format_2
    """
    signatures = metadata["metadata"]["signature_def"]["signature_def"]
    able = [name for name, each in signatures.items() if each.get("method_name") == "tensorflow/serving/predict"]
    name = "serving_default" if "serving_default" in signatures else min(able, default="")
    inputs = {}
    for key, tensor in signatures[name]["inputs"].items():
        shape = tensor["tensor_shape"]
        dimensions = [1] if shape.get("unknown_rank") else fixed([each["size"] for each in shape.get("dim", ())])
        inputs[key] = nested(dimensions, filling(tensor["dtype"]))
    return json_request({"signature_name": name, "inputs": inputs})


MADE_UP = {"openInference": open_inference_request, "tensorflowServing": tensorflow_serving_request}


def json_request(content: object) -> Request:
    """A request with a JSON body."""
    return Request(json.dumps(content).encode(), {"Content-Type": "application/json"})


def fixed(shape: list[Any]) -> list[int]:
    """A shape with 1 in the place of every dimension that may have any size."""
    return [size if size >= 0 else 1 for size in map(int, shape)]


def filling(datatype: str) -> Any:
    """One element in JSON."""
    if datatype in ("BYTES", "DT_STRING"):
        return TEXT
    if datatype in ("BOOL", "DT_BOOL"):
        return False
    return 0.0 if datatype in FLOATS else 0


def binary(datatype: str) -> bytes:
    """One element as bytes."""
    if datatype == "BYTES":
        return struct.pack("<I", len(TEXT)) + TEXT.encode()
    return bytes(ELEMENT_BYTES[datatype])


def nested(shape: list[int], value: Any) -> Any:
    """A tensor of one value as lists in lists."""
    for size in reversed(shape):
        value = [value] * size
    return value


class State:
    """Whether the server is warm, and why not."""

    def __init__(self) -> None:
        self.reason: str | None = "the model server has not answered yet"

    def set(self, reason: str | None) -> None:
        """Why the pod is not ready; None: it is."""
        if reason != self.reason:
            print(f"not ready: {reason}" if reason else "ready", flush=True)
        self.reason = reason


def keep_warm(server: Server, warm_up: WarmUp, state: State, poll_seconds: float) -> None:
    """Warms the server up whenever it has come, for ever."""
    pause = poll_seconds
    while True:
        while not server.is_ready():
            pause = poll_seconds
            time.sleep(poll_seconds)
        began = time.monotonic()
        try:
            warm_up.run(server)
        except RefusedError as error:
            state.set(f"the model server refuses the warm-up request, which is a mistake in the settings: {error}")
        except NotYetError as error:
            state.set(f"the warm-up request failed and is tried again: {error}")
        else:
            print(f"the model server answered within {time.monotonic() - began:.1f} s", flush=True)
            state.set(None)
            # One that has no time to answer is at work; whether it is stuck is for its own probes to judge.
            while server.is_ready() is not False:
                time.sleep(poll_seconds)
            state.set("the model server went away")
            continue
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def probe(port: int, state: State) -> ThreadingHTTPServer:
    """What the kubelet asks."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reason = state.reason
            body = (reason or "ready").encode()
            self.send_response(http.HTTPStatus.SERVICE_UNAVAILABLE if reason else http.HTTPStatus.OK)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing of each probe."""

    server = ThreadingHTTPServer(("", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def arguments() -> argparse.Namespace:
    """What the container is started with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server-port", type=int, required=True, help="port of the model server")
    parser.add_argument("--ready-path", required=True, help="path that answers 200 once the model is loaded")
    parser.add_argument("--method", default="POST")
    parser.add_argument("--path", required=True, help="path of the warm-up request")
    parser.add_argument("--body", help="body of the request, JSON")
    parser.add_argument("--inputs", choices=sorted(MADE_UP), help="make the body up from metadata of this protocol")
    parser.add_argument("--metadata-path", help="path of the metadata")
    parser.add_argument("--count", type=int, default=1, help="how many requests are sent, one after the other")
    parser.add_argument("--seconds", type=float, default=300, help="how long each may take")
    parser.add_argument("--probe-port", type=int, required=True, help="port that answers the readiness probe")
    parser.add_argument("--poll-seconds", type=float, default=1, help="how often the server is asked if it is there")
    return parser.parse_args()


def main() -> None:
    """Answers the readiness probe, and keeps the server warm."""
    # A container's first process gets no signal that it has not asked for.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    given, state = arguments(), State()
    probe(given.probe_port, state)
    warm_up = WarmUp(
        method=given.method,
        path=given.path,
        body=given.body,
        inputs=given.inputs,
        metadata_path=given.metadata_path,
        count=given.count,
        seconds=given.seconds,
    )
    keep_warm(Server(given.server_port, given.ready_path), warm_up, state, given.poll_seconds)


if __name__ == "__main__":
    main()
