"""One model on Triton: which backend runs it, how it is batched and copied, and the configuration that says so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from eksml.catalog import Backend, engines
from eksml.errors import Problem
from eksml.serving.language_model import Precision, TokenBatching
from eksml.spec import Flag, Spec, pattern

# Fields that mean something for one half of the backends only.
_OF_TENSORS = ("batching", "instances", "inputs", "outputs", "versions", "response_cache", "warm_up", "parameters")
_OF_LANGUAGE = (
    "precision",
    "context_length",
    "token_batching",
    "tensor_parallel",
    "pipeline_parallel",
    "memory_utilization",
)
LANGUAGE_BACKENDS = ("vllm", "tensorrtllm")
# The backends whose models do not say what goes in and what comes out.
_TOLD_TENSORS = ("pytorch", "python")


def _not_removed(backend: Any) -> Any:
    if advice := engines()["triton"].removed_backends.get(str(backend)):
        raise ValueError(f"must be another: {advice}")
    return backend


BackendName = Annotated[
    Literal["onnxruntime", "pytorch", "tensorrt", "openvino", "python", "vllm", "tensorrtllm"],
    BeforeValidator(_not_removed),
]
ModelName = Annotated[str, pattern(r"^[A-Za-z0-9][\w.-]{0,62}$", "a name of letters, digits and _.-")]
TensorName = Annotated[str, Field(min_length=1, max_length=200)]
Version = Annotated[int, Field(strict=True, ge=1)]
NumberType = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "BF16", "FP32", "FP64",
    "STRING",
]  # fmt: skip


class Tensor(Spec):
    """What a model takes or gives."""

    type: NumberType
    """Its numbers, as Triton names them, such as FP32."""
    shape: Annotated[tuple[Annotated[int, Field(strict=True, ge=-1)], ...], Field(min_length=1)]
    """Its sizes, -1 where any will do, without that of the batch where the model has batching."""


class DynamicBatching(Spec):
    """How Triton puts requests that wait into one batch."""

    max_size: Annotated[int, Field(strict=True, ge=1, le=65_536)]
    """The largest batch that the model takes."""
    preferred_sizes: tuple[Annotated[int, Field(strict=True, ge=1)], ...] = ()
    """Sizes that are worth waiting for, where some are faster than others, as with TensorRT; else none."""
    max_delay_microseconds: Annotated[int, Field(strict=True, ge=0, le=60_000_000)] = 0
    """For how long a request may wait for others; 0: for none, a batch is what waits when the model is free."""

    def rules(self) -> Iterator[Problem]:
        """What is preferred is possible."""
        for index, size in enumerate(self.preferred_sizes):
            if size > self.max_size:
                yield Problem(("preferredSizes", index), f"{size} given, must be at most maxSize, {self.max_size}")


class Instances(Spec):
    """Copies of one model in a pod, which work at the same time."""

    count: Annotated[int, Field(strict=True, ge=1, le=64)] = 1
    """Copies on each of the GPUs, or on the CPU."""
    device: Literal["gpu", "cpu"] | None = None
    """Where they run, gpu or cpu; none given: on GPUs where the pod and the backend have them."""
    gpus: tuple[Annotated[int, Field(strict=True, ge=0, le=15)], ...] = ()
    """Which of the pod's GPUs, from 0, so that each model can have one for itself; none given: every one."""


class TritonModel(Spec):
    """A model by its backend."""

    backend: BackendName
    """What runs it: onnxruntime, pytorch, tensorrt, openvino, python, vllm or tensorrtllm."""
    configuration: Literal["generated", "repository"] = "generated"
    """Who says how it is served: these settings, or the config.pbtxt that lies beside the model."""
    batching: DynamicBatching | None = None
    """How requests are put into batches; none given: as the model allows and Triton decides."""
    instances: Instances = Field(default_factory=Instances)
    """How many copies there are, and where."""
    inputs: dict[TensorName, Tensor] = Field(default_factory=dict)
    """What goes in, where the model's file does not say it: with pytorch and python."""
    outputs: dict[TensorName, Tensor] = Field(default_factory=dict)
    """What comes out, in the same way."""
    versions: Literal["all"] | Annotated[tuple[Version, ...], Field(min_length=1)] | None = None
    """The versions that are served: all, or some; none given: the newest that there is when a pod starts."""
    response_cache: Flag = False
    """Whether the same request gets the same response out of memory, where the server has responseCacheMib."""
    warm_up: Flag = False
    """Whether Triton asks each copy once, with zeros for all inputs, before it counts as loaded."""
    parameters: dict[str, str] = Field(default_factory=dict)
    """What the backend reads from the configuration, such as EXECUTION_ENV_PATH or DISABLE_OPTIMIZED_EXECUTION."""
    precision: Precision = "auto"
    """Of language models: what the weights are held in; auto: as they were published."""
    context_length: Annotated[int, Field(strict=True, ge=1, le=100_000_000)] | None = None
    """Of language models: tokens of one request and its answer; none given: what the model was made for."""
    token_batching: TokenBatching = Field(default_factory=TokenBatching)
    """Of language models: how many requests and tokens it works on at once."""
    tensor_parallel: Annotated[int, Field(strict=True, ge=1, le=16)] | None = None
    """Of language models: GPUs that share each layer; by default all of the pod."""
    pipeline_parallel: Annotated[int, Field(strict=True, ge=1, le=16)] = 1
    """Of language models: groups of GPUs that have different layers."""
    memory_utilization: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """Of language models: with vllm the share of a GPU's memory that it may take, with tensorrtllm the share of
    what the weights leave that the KV cache gets."""

    def rules(self) -> Iterator[Problem]:
        """Every setting has an effect, and what cannot be derived is given."""
        yield from self._settings_of_others()
        if not self.is_generated or self.is_language_model:
            return
        if self.backend in _TOLD_TENSORS:
            for key, tensors in (("inputs", self.inputs), ("outputs", self.outputs)):
                if not tensors:
                    text = f"missing: backend {self.backend} does not tell them; or let configuration be repository"
                    yield Problem((key,), text)
        if self.backend == "pytorch":
            for name in self.outputs:
                if not re.fullmatch(r".+__\d+", name):
                    text = f"'{name}' given, must end with __ and its place: PyTorch's outputs have no names"
                    yield Problem(("outputs", name), text)
        if self.warm_up and not self.inputs:
            yield Problem(("inputs",), "missing: warmUp makes them up")

    @property
    def facts(self) -> Backend:
        """What the catalog knows of the backend."""
        return engines()["triton"].backends[self.backend]

    @property
    def is_language_model(self) -> bool:
        """Whether it answers with text."""
        return self.backend in LANGUAGE_BACKENDS

    @property
    def is_generated(self) -> bool:
        """Whether its configuration comes from here."""
        return self.configuration == "generated"

    def config(self, gpus: int) -> str:
        """Its config.pbtxt, in a pod with so many GPUs."""
        message: dict[str, Any] = {
            "backend": self.backend,
            "instance_group": [self._instance_group(gpus)],
            **self._batching(),
            "input": [_tensor(name, tensor) for name, tensor in self.inputs.items()],
            "output": [_tensor(name, tensor) for name, tensor in self.outputs.items()],
            **self._version_policy(),
            **({"response_cache": {"enable": True}} if self.response_cache else {}),
            **({"model_warmup": [self._model_warm_up()]} if self.warm_up else {}),
            "parameters": [
                {"key": key, "value": {"string_value": value}} for key, value in sorted(self.parameters.items())
            ],
        }
        return "".join(f"{line}\n" for line in _lines(message))

    def device(self, gpus: int) -> Literal["gpu", "cpu"]:
        """Where its copies run, in a pod with so many GPUs."""
        return self.instances.device or ("gpu" if gpus and self.facts.on_gpu else "cpu")

    def _settings_of_others(self) -> Iterator[Problem]:
        others = _OF_TENSORS if self.is_language_model else _OF_LANGUAGE
        yield from self.without_effect(f"backend {self.backend}", *others)
        if not self.is_generated:
            yield from self.without_effect("configuration repository", *_OF_TENSORS, *_OF_LANGUAGE)

    def _instance_group(self, gpus: int) -> dict[str, Any]:
        if self.is_language_model:
            # It finds its GPUs itself.
            return {"count": 1, "kind": _Symbol("KIND_MODEL")}
        kind = _Symbol(f"KIND_{self.device(gpus).upper()}")
        return {"count": self.instances.count, "kind": kind, "gpus": list(self.instances.gpus)}

    def _batching(self) -> dict[str, Any]:
        batching = self.batching
        if batching is None:
            return {}
        fields = {
            "preferred_batch_size": list(batching.preferred_sizes),
            "max_queue_delay_microseconds": batching.max_delay_microseconds,
        }
        return {"max_batch_size": batching.max_size, "dynamic_batching": fields}

    def _version_policy(self) -> dict[str, Any]:
        if self.versions is None:
            return {}
        chosen = {"all": {}} if self.versions == "all" else {"specific": {"versions": list(self.versions)}}
        return {"version_policy": chosen}

    def _model_warm_up(self) -> dict[str, Any]:
        inputs = [
            {
                "key": name,
                "value": {
                    "data_type": _Symbol(f"TYPE_{tensor.type}"),
                    # One, where any size will do.
                    "dims": [abs(size) for size in tensor.shape],
                    "zero_data": True,
                },
            }
            for name, tensor in self.inputs.items()
        ]
        return {"name": "zeros", "batch_size": 1 if self.batching else 0, "inputs": inputs}


class _Symbol(str):
    """A name of an enumeration, which stands without quotes."""


def _tensor(name: str, tensor: Tensor) -> dict[str, Any]:
    return {"name": name, "data_type": _Symbol(f"TYPE_{tensor.type}"), "dims": list(tensor.shape)}


def _lines(message: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """A message in the text format of Protocol Buffers."""
    for key, value in message.items():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, Mapping):
                yield f"{indent}{key} {{"
                yield from _lines(each, f"{indent}  ")
                yield f"{indent}}}"
            else:
                yield f"{indent}{key}: {each if isinstance(each, _Symbol) else json.dumps(each, ensure_ascii=False)}"
