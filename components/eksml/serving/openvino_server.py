"""OpenVINO Model Server: models on the CPUs of any node, from ONNX, TensorFlow or OpenVINO's own format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from eksml.errors import Problem
from eksml.serving.model_server import ModelServer
from eksml.serving.model_source import (
    MODEL_DIRECTORY,
    ModelLayout,
    ModelRepository,
    registered_model_problems,
    version_folder_problems,
)
from eksml.serving.pod import CONFIGURATION_DIRECTORY, EngineProcess
from eksml.serving.server import ServerSpec, said_elsewhere
from eksml.spec import Spec, pattern

_CONFIGURATION = "config.json"
_PRECISIONS = {"bfloat16": "bf16", "float16": "f16", "float32": "f32"}
# What the fields of the Spec say; each with the field.
_SAID_BY_FIELDS = {
    "--config_path": "models",
    "--metrics_enable": "metrics",
    "--model_name": "models",
    "--model_path": "source",
    "--port": "the catalog",
    "--rest_port": "the catalog",
}

ModelName = Annotated[str, pattern(r"^[A-Za-z0-9][\w.-]{0,62}$", "a name of letters, digits and _.-")]
Version = Annotated[int, Field(strict=True, ge=1)]


class OpenVinoModel(Spec):
    """One model, whose versions lie in folders with numbers for names."""

    batch_size: Annotated[int, Field(strict=True, ge=1, le=65_536)] | Literal["auto"] | None = None
    """The batch that the model is made for when it is loaded, or auto: made anew for each other size that is asked for;
    none given: as the model's file says, of any size where that is open."""
    performance_hint: Literal["latency", "throughput"] = "latency"
    """What OpenVINO aims at: the time of one request, or how many there are in a second, of which many run at once."""
    threads: Annotated[int, Field(strict=True, ge=1, le=1024)] | None = None
    """Threads that compute; by default as many as the pod has CPUs."""
    streams: Annotated[int, Field(strict=True, ge=1, le=1024)] | None = None
    """Requests that are computed at once; none given: as performanceHint makes it."""
    infer_requests: Annotated[int, Field(strict=True, ge=1, le=100_000)] | None = None
    """Requests that are in the model at once, `nireq`, those that wait included; none given: as OpenVINO derives it."""
    precision: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    """What it computes in; auto: bfloat16 on CPUs that have it, otherwise float32."""
    versions: Literal["all"] | Annotated[tuple[Version, ...], Field(min_length=1)] | None = None
    """The versions that are served: all, or some; none given: the newest that there is when a pod starts."""

    def config(self, name: str, cpus: float) -> dict[str, Any]:
        """Its entry in the configuration file, in a pod with so many CPUs."""
        hints = {
            "PERFORMANCE_HINT": self.performance_hint.upper(),
            # OpenVINO counts the CPUs of the node, whatever the pod may use of them.
            "INFERENCE_NUM_THREADS": self.threads or max(1, int(cpus)),
            "NUM_STREAMS": self.streams,
            "INFERENCE_PRECISION_HINT": _PRECISIONS.get(self.precision),
        }
        given = {
            "batch_size": None if self.batch_size is None else str(self.batch_size),
            "nireq": self.infer_requests,
            "model_version_policy": self._version_policy(),
        }
        return {
            "name": name,
            "base_path": f"{MODEL_DIRECTORY}/{name}",
            "target_device": "CPU",
            "plugin_config": {key: value for key, value in hints.items() if value is not None},
            **{key: value for key, value in given.items() if value is not None},
        }

    def _version_policy(self) -> dict[str, Any] | None:
        if self.versions is None:
            return None
        return {"all": {}} if self.versions == "all" else {"specific": {"versions": list(self.versions)}}


class OpenVinoServerSpec(ServerSpec):
    """OpenVINO Model Server with one model or several."""

    kind: Literal["openVino"] = "openVino"
    """The engine: openVino."""
    source: ModelRepository
    """Where NAME/VERSION/ of each model lies, with model.onnx, saved_model.pb, or an .xml with its .bin."""
    models: Annotated[dict[ModelName, OpenVinoModel], Field(min_length=1)]
    """The models by the name of their folder; the first is asked to warm up."""
    arguments: tuple[str, ...] = ()
    """More arguments of the server, such as --log_level=DEBUG."""

    def rules(self) -> Iterator[Problem]:
        """The threads of each model are there."""
        yield from super().rules()
        yield from version_folder_problems(self.source)
        yield from registered_model_problems(self.source, self.models)
        for name, model in self.models.items():
            if model.threads and model.threads > self.cpus:
                text = f"{model.threads} given, must be at most the CPUs of a pod, {self.cpus:g}"
                yield Problem(("models", name, "threads"), text)
        yield from said_elsewhere(self.arguments, _SAID_BY_FIELDS)

    @property
    def layout(self) -> ModelLayout:
        """A model in one of the formats that it reads, in the folder of the first model."""
        return ModelLayout(("*.xml", "*.onnx", "saved_model.pb"), next(iter(self.models)))

    def model_name(self, server: str) -> str:
        """The name by which clients ask for the first model."""
        return next(iter(self.models))


class OpenVinoServer(ModelServer[OpenVinoServerSpec]):
    """OpenVINO Model Server with a file of all its models."""

    def process(self) -> EngineProcess:
        """The image's own command, with what the Spec says."""
        ports = self.spec.facts.ports
        arguments = [
            f"--config_path={CONFIGURATION_DIRECTORY}/{_CONFIGURATION}",
            f"--rest_port={ports.http}",
            f"--port={ports.grpc}",
            # A new version comes with new pods, as every other change; a bucket is not listed every second.
            "--file_system_poll_wait_seconds=0",
            *self.spec.facts.metrics_arguments,
            *self.spec.arguments,
        ]
        return EngineProcess([], arguments, {})

    def files(self) -> dict[str, str]:
        """The configuration file with all models."""
        entries = [{"config": model.config(name, self.spec.cpus)} for name, model in self.spec.models.items()]
        return {_CONFIGURATION: json.dumps({"model_config_list": entries}, indent=2)}
