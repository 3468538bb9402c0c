"""TensorFlow Serving: SavedModels of TensorFlow, Keras and JAX, several versions of several models at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from eksml.errors import Problem, listed
from eksml.serving.model_server import ModelServer
from eksml.serving.model_source import (
    MODEL_DIRECTORY,
    ModelLayout,
    ModelRepository,
    registered_model_problems,
    version_folder_problems,
)
from eksml.serving.pod import CONFIGURATION_DIRECTORY, EngineProcess
from eksml.serving.server import ServerSpec
from eksml.serving.warm_up import WarmUpRequest, default_request
from eksml.spec import Flag, PositiveCount, RelativePath, Spec, pattern

ServedName = Annotated[str, pattern(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$", "a name of letters, digits and _.-")]
Version = Annotated[int, Field(strict=True, ge=0)]


class TensorFlowBatching(Spec):
    """How requests are put together: throughput for a little latency."""

    max_size: PositiveCount = 32
    """Inputs in one batch."""
    timeout_ms: Annotated[float, Field(ge=0, le=10_000)] = 5
    """How long a batch waits for more of them, in milliseconds."""
    sizes: tuple[PositiveCount, ...] = ()
    """The sizes that batches are filled up to, the largest of them maxSize; none given: any."""
    threads: PositiveCount | None = None
    """Batches at once; none given: as many as the pod has CPUs."""
    most_waiting: PositiveCount = 100
    """Batches that may wait; what comes beyond is refused, so that clients try elsewhere."""

    def rules(self) -> Iterator[Problem]:
        """The largest size is that of a full batch."""
        if self.sizes and list(self.sizes) != sorted(set(self.sizes)):
            yield Problem(("sizes",), "must rise from one to the next")
        elif self.sizes and self.sizes[-1] != self.max_size:
            yield Problem(("sizes",), f"{self.sizes[-1]} is the last one, must be maxSize, {self.max_size}")


class TensorFlowModel(Spec):
    """One model, in a folder with a folder of a number for each version."""

    path: RelativePath | None = None
    """Its folder below the source, which holds those of its versions; none given: that of its name."""
    versions: tuple[Version, ...] = ()
    """The versions that are served at once; none given: the newest, as soon as it is there."""
    labels: dict[ServedName, Version] = Field(default_factory=dict)
    """Names of versions, such as stable and canary, that clients can ask for."""

    def rules(self) -> Iterator[Problem]:
        """A path ends where the versions begin, and labels are those of versions that are served."""
        if self.path and self.path.rstrip("/").rpartition("/")[2].isdigit():
            yield Problem(
                ("path",), f"'{self.path}' given, must be the folder of the model, in which versions are folders"
            )
        if len(set(self.versions)) < len(self.versions):
            yield Problem(("versions",), "one stands twice")
        for label, version in self.labels.items():
            if version not in self.versions:
                has = f"versions has {listed(map(str, self.versions))}" if self.versions else "give it in versions too"
                yield Problem(("labels", label), f"{version} given, but {has}")


class TensorFlowServingSpec(ServerSpec):
    """TensorFlow Serving with one or several models, on CPUs or on a GPU."""

    kind: Literal["tensorflowServing"] = "tensorflowServing"
    """The engine: tensorflowServing."""
    source: ModelRepository
    """Where the models lie, each in a folder of its name: a bucket, a claim or a registry."""
    models: Annotated[dict[ServedName, TensorFlowModel], Field(min_length=1)]
    """The models by the names that clients ask for."""
    batching: TensorFlowBatching | None = None
    """How requests are put together; null: each goes alone, as clients send it."""
    memory_fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    """The share of the GPU's memory that it takes; none given: all of it, also of a shared GPU."""
    bundled_warm_up: Flag = True
    """Whether the requests that a model has with it (assets.extra/tf_serving_warmup_requests) are sent first."""

    def rules(self) -> Iterator[Problem]:
        """What concerns a GPU needs one."""
        yield from super().rules()
        yield from version_folder_problems(self.source)
        yield from registered_model_problems(self.source, self.models)
        if not self.gpus_per_node:
            yield from self.without_effect("no GPU", "memory_fraction")

    @property
    def memory_share(self) -> tuple[str, float]:
        """All that there is, unless it is told otherwise."""
        return "memoryFraction", self.memory_fraction or 1

    @property
    def layout(self) -> ModelLayout:
        """A SavedModel in the folder of the first model."""
        name, model = next(iter(self.models.items()))
        return ModelLayout(("saved_model.pb",), model.path or name)

    def model_name(self, server: str) -> str:
        """The first model."""
        return next(iter(self.models))


class TensorFlowServing(ModelServer[TensorFlowServingSpec]):
    """TensorFlow Serving: REST on port 8501, gRPC on port 8500."""

    def process(self) -> EngineProcess:
        """Its server, with its configuration in files."""
        spec, ports = self.spec, self.spec.facts.ports
        options = {
            "--port": ports.grpc,
            "--rest_api_port": ports.http,
            "--model_config_file": f"{CONFIGURATION_DIRECTORY}/models.config",
            "--monitoring_config_file": f"{CONFIGURATION_DIRECTORY}/monitoring.config",
            "--enable_model_warmup": str(spec.bundled_warm_up).lower(),
            # A label is given to its version before that is loaded, at the first start.
            "--allow_version_labels_for_unavailable_models": "true",
        }
        if spec.batching:
            options |= {
                "--enable_batching": "true",
                "--batching_parameters_file": f"{CONFIGURATION_DIRECTORY}/batching.config",
            }
        if spec.memory_fraction:
            options["--per_process_gpu_memory_fraction"] = f"{spec.memory_fraction:g}"
        return EngineProcess(["tensorflow_model_server"], [f"{key}={value}" for key, value in options.items()], {})

    def files(self) -> dict[str, str]:
        """Which models there are, what is measured, and how requests are put together.

        Source: tensorflow_serving/config/model_server_config.proto and monitoring_config.proto, and
        session_bundle_config.proto for batches, of https://github.com/tensorflow/serving
        """
        spec = self.spec
        models = "".join(_model(name, model) for name, model in spec.models.items())
        path = spec.facts.metrics_path
        files = {
            "models.config": f"model_config_list {{\n{models}}}\n",
            "monitoring.config": f'prometheus_config {{\n  enable: true\n  path: "{path}"\n}}\n',
        }
        return files | ({"batching.config": _batching(spec.batching, spec.cpus)} if spec.batching else {})

    def warm_up_request(self) -> WarmUpRequest:
        """Zeros for every input of the first model."""
        name = self.spec.model_name(self.resource_name)
        label = next(iter(self.spec.models[name].labels), None)
        return default_request("tensorflowServing", name, generates=False, version=label and f"labels/{label}")


def _model(name: str, model: TensorFlowModel) -> str:
    lines = [f'name: "{name}"', f'base_path: "{MODEL_DIRECTORY}/{model.path or name}"', 'model_platform: "tensorflow"']
    if model.versions:
        served = " ".join(f"versions: {version}" for version in model.versions)
        lines.append(f"model_version_policy {{ specific {{ {served} }} }}")
    lines += [f'version_labels {{ key: "{label}" value: {version} }}' for label, version in model.labels.items()]
    return "".join(["  config {\n", *(f"    {line}\n" for line in lines), "  }\n"])


def _batching(batching: TensorFlowBatching, cpus: float) -> str:
    values = {
        "max_batch_size": batching.max_size,
        "batch_timeout_micros": round(batching.timeout_ms * 1000),
        "num_batch_threads": batching.threads or max(1, int(cpus)),
        "max_enqueued_batches": batching.most_waiting,
    }
    lines = [f"{key} {{ value: {value} }}" for key, value in values.items()]
    return "".join(f"{line}\n" for line in [*lines, *(f"allowed_batch_sizes: {size}" for size in batching.sizes)])
