"""A request that a model server answers before its pod gets any other: the first one is slow on every engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from eksml.catalog import EngineKind, images
from eksml.errors import Problem
from eksml.secret_key import SecretKey
from eksml.serving.pod_scripts import script_command, scripts_mount
from eksml.spec import Spec, pattern

WARM_UP_SCRIPT = "warm_up.py"
WARM_UP_PORT = 9808
"""What the container listens on, for its readiness probe only."""
_NOBODY = 65534
# A server needs minutes for kernels that it compiles when they are first asked for.
_SECONDS_TO_ANSWER = 300

_Path = Annotated[str, pattern(r"^/\S*$", "a path that begins with /")]


class WarmUp(Spec):
    """The request that is sent to a model server, in its own pod, before the pod is ready."""

    method: Literal["POST", "GET"] = "POST"
    """The HTTP method: POST or GET."""
    path: _Path | None = None
    """The path; none given: that of the engine's own kind of request."""
    body: dict[str, Any] | str | None = None
    """The body: a mapping, or JSON as text; none given: one token of text, or zeros for every input of the model."""
    count: Annotated[int, Field(strict=True, ge=1, le=100)] = 1
    """How many requests are sent, one after the other."""
    timeout_seconds: Annotated[int, Field(strict=True, ge=1, le=3600)] = _SECONDS_TO_ANSWER
    """Seconds that each may take; one that takes longer is tried again."""

    def rules(self) -> Iterator[Problem]:
        """A body is JSON, and goes with POST."""
        if self.method == "GET" and self.body is not None:
            yield Problem(("body",), "given, but GET has none: take POST")
        if self.method == "GET" and self.path is None:
            yield Problem(("path",), "missing: the engine's own request is a POST")
        if self.method == "POST" and self.path is not None and self.body is None:
            yield Problem(("body",), "missing: what is made up goes to the engine's own path only")
        if isinstance(self.body, str):
            try:
                json.loads(self.body)
            except ValueError as error:
                yield Problem(("body",), f"must be JSON: {error}")


class WarmUpRequest(NamedTuple):
    """One request of an engine."""

    path: str
    body: Any
    """None: zeros for every input of the model, which its metadata lists."""
    inputs: Literal["openInference", "tensorflowServing"] | None = None
    """The protocol of the metadata."""
    metadata_path: str | None = None


def default_request(
    engine: EngineKind, model: str, *, generates: bool, backend: str | None = None, version: str | None = None
) -> WarmUpRequest:
    """The smallest request that has an engine do all that it does for others.

    It holds for every precision: where inputs are made up, the model's metadata says which numbers they have.

    Arguments:
        engine: the engine's kind.
        model: the model's name, as clients of the server say it.
        generates: whether the model answers with text.
        backend: of Triton, the backend of a model that generates: vllm or tensorrtllm.
        version: of TensorFlow Serving, the label or version in the path: labels/stable, versions/2.
    """
    if engine == "tensorflowServing":
        address = f"/v1/models/{model}/{version}" if version else f"/v1/models/{model}"
        return WarmUpRequest(f"{address}:predict", None, "tensorflowServing", f"{address}/metadata")
    if generates and engine == "triton":
        return WarmUpRequest(f"/v2/models/{model}/generate", _GENERATE[backend or "vllm"])
    if generates:
        return WarmUpRequest(_COMPLETIONS[engine], {"model": model, "prompt": "Hello", "max_tokens": 1})
    if engine in ("vllm", "rayServeVllm"):
        return WarmUpRequest("/v1/embeddings", {"model": model, "input": "Hello"})
    if engine == "transformers":
        return WarmUpRequest(f"/v1/models/{model}:predict", {"instances": ["Hello"]})
    return WarmUpRequest(f"/v2/models/{model}/infer", None, "openInference", f"/v2/models/{model}")


# https://docs.vllm.ai/en/latest/serving/openai_compatible_server/; KServe's server has the prefix /openai, and
# OpenVINO's the version 3: https://docs.openvino.ai/2025/model-server/ovms_docs_rest_api_completion.html
_COMPLETIONS: dict[str, str] = {
    "vllm": "/v1/completions",
    "rayServeVllm": "/v1/completions",
    "transformers": "/openai/v1/completions",
    "kserve": "/openai/v1/completions",
    "openVino": "/v3/completions",
}
# Models that generate are decoupled, which Triton's infer refuses over HTTP. How they are told to stop is each
# backend's own: https://github.com/triton-inference-server/vllm_backend and triton_backend of
# https://github.com/NVIDIA/TensorRT-LLM
_GENERATE: dict[str, dict[str, Any]] = {
    "vllm": {"text_input": "Hello", "parameters": {"stream": False, "max_tokens": 1}},
    "tensorrtllm": {"text_input": "Hello", "sampling_param_max_tokens": 1},
}


def warm_up_container(
    warm_up: WarmUp,
    request: WarmUpRequest,
    *,
    server_port: int,
    ready_path: str,
    api_key: SecretKey | None = None,
) -> dict[str, Any]:
    """The container beside a model server that keeps the pod out of service until the server is warm.

    Its pod has `scripts_volume` of a ConfigMap with `warm_up.py`.

    Arguments:
        warm_up: what the user wants to be sent.
        request: the engine's own request, for what the user leaves open.
        server_port: the server's HTTP port.
        ready_path: what answers 200 once the model is loaded.
        api_key: the key that the engine itself checks.
    """
    body = json.loads(warm_up.body) if isinstance(warm_up.body, str) else warm_up.body
    own = WarmUpRequest(warm_up.path or request.path, body)
    asked = request if warm_up.path is None and warm_up.body is None else own
    options = {
        "--server-port": server_port,
        "--ready-path": ready_path,
        "--method": warm_up.method,
        "--path": asked.path,
        "--body": None if asked.body is None else json.dumps(asked.body),
        "--inputs": asked.inputs,
        "--metadata-path": asked.metadata_path,
        "--count": warm_up.count,
        "--seconds": warm_up.timeout_seconds,
        "--probe-port": WARM_UP_PORT,
    }
    environment: list[dict[str, Any]] = [{"name": "PYTHONDONTWRITEBYTECODE", "value": "1"}]
    if api_key:
        environment.append({"name": "API_KEY", **api_key.as_value()})
    return {
        "name": "warm-up",
        # Not the engine's image, which would see every GPU of the node.
        "image": images()["python"].reference,
        "command": script_command(WARM_UP_SCRIPT, options),
        "env": environment,
        "ports": [{"name": "warm-up", "containerPort": WARM_UP_PORT}],
        "readinessProbe": {
            "httpGet": {"path": "/", "port": WARM_UP_PORT},
            "periodSeconds": 2,
            "timeoutSeconds": 2,
            "failureThreshold": 1,
        },
        "resources": {
            "requests": {"cpu": "20m", "memory": "64Mi"},
            "limits": {"cpu": "500m", "memory": "256Mi"},
        },
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _NOBODY,
            "runAsGroup": _NOBODY,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [scripts_mount()],
    }
