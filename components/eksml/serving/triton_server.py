"""Triton: models of several frameworks in one server, each by a backend, from one model repository."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from eksml.catalog import images
from eksml.errors import Problem
from eksml.serving.language_model import memory_problems
from eksml.serving.model_server import ModelServer
from eksml.serving.model_source import (
    MODEL_DIRECTORY,
    HubSource,
    ModelLayout,
    ModelSource,
    registered_model_problems,
    version_folder_problems,
)
from eksml.serving.pod import CONFIGURATION_DIRECTORY, EngineProcess, hub_files
from eksml.serving.pod_scripts import script
from eksml.serving.server import ServerSpec, said_elsewhere
from eksml.serving.triton_model import ModelName, TritonModel
from eksml.serving.warm_up import WarmUpRequest, default_request
from eksml.sizing.inference import GpuMemory, Serving

REPOSITORY_SCRIPT = "triton_repository.sh"
_MIB = 1024**2
# What the fields of the Spec say; each with the field.
_SAID_BY_FIELDS = {
    "--allow-http": "the catalog",
    "--allow-metrics": "metrics",
    "--grpc-port": "the catalog",
    "--http-address": "the catalog",
    "--http-port": "the catalog",
    "--metrics-port": "the catalog",
    "--cache-config": "responseCacheMib",
    "--load-model": "models",
    "--model-control-mode": "models",
    "--model-repository": "source",
}


class TritonServerSpec(ServerSpec):
    """Triton with one model or several."""

    kind: Literal["triton"] = "triton"
    """The engine: triton."""
    source: ModelSource
    """The model repository, with NAME/VERSION/FILE for each model; for a language model, its weights."""
    models: Annotated[dict[ModelName, TritonModel], Field(min_length=1)]
    """The models that are loaded, by the name of their folder, and no others; the first is asked to warm up."""
    response_cache_mib: Annotated[int, Field(strict=True, ge=1, le=1_048_576)] | None = None
    """Memory for responses, in MiB, for models with responseCache; none given: no response is kept."""
    arguments: tuple[str, ...] = ()
    """More arguments of `tritonserver`, such as --log-verbose=1."""

    def rules(self) -> Iterator[Problem]:
        """One image has every backend, and the pods have what the models need."""
        yield from super().rules()
        yield from version_folder_problems(self.source)
        yield from registered_model_problems(self.source, self.models)
        yield from self._image_rules()
        for name, model in self.models.items():
            yield from (problem.below(("models", name)) for problem in self._model_rules(model))
        yield from self._language_model_rules()
        yield from self._cache_rules()
        yield from said_elsewhere(self.arguments, _SAID_BY_FIELDS)

    @property
    def image_reference(self) -> str:
        """The variant of the image that has the models' backends."""
        return self.image or images()[self._images[0]].reference

    @property
    def language_model(self) -> tuple[str, TritonModel] | None:
        """The name and settings of the model that answers with text, if there is one."""
        return next((each for each in self.models.items() if each[1].is_language_model), None)

    @property
    def layout(self) -> ModelLayout:
        """The file of the first model's backend in the folder of that model; the weights of a language model."""
        name, model = next(iter(self.models.items()))
        if model.is_language_model and model.is_generated:
            return super().layout
        return ModelLayout((model.facts.model_file or "*",), name)

    def model_name(self, server: str) -> str:
        """The name by which clients ask for the first model."""
        return next(iter(self.models))

    def tensor_parallel(self, model: TritonModel) -> int:
        """GPUs that share each layer of a language model."""
        return model.tensor_parallel or max(1, self.gpus_per_node // model.pipeline_parallel)

    @property
    def _images(self) -> list[str]:
        """The variants of the image that the models need; Python's backend is in each."""
        needed = {model.facts.image for model in self.models.values() if model.backend != "python"}
        return sorted(needed) or [self.facts.image]

    def _image_rules(self) -> Iterator[Problem]:
        if len(self._images) > 1:
            needs = [f"{name} {model.facts.image}" for name, model in self.models.items() if model.backend != "python"]
            text = f"need different images, {', '.join(needs)}: give the models of each image a server of their own"
            yield Problem(("models",), text)

    def _model_rules(self, model: TritonModel) -> Iterator[Problem]:
        has, facts = self.gpus_per_node, model.facts
        if not has and not facts.on_cpu:
            yield Problem(("backend",), f"{model.backend} runs on GPUs only, and gpusPerNode is 0")
        if model.instances.device == "gpu" and not (has and facts.on_gpu):
            reason = "gpusPerNode is 0" if facts.on_gpu else f"{model.backend} runs on CPUs only"
            yield Problem(("instances", "device"), f"gpu given, but {reason}")
        if model.instances.device == "cpu" and not facts.on_cpu:
            yield Problem(("instances", "device"), f"cpu given, but {model.backend} runs on GPUs only")
        if model.instances.gpus and model.device(has) == "cpu":
            yield Problem(("instances", "gpus"), "given, but the model runs on the CPU")
        for index, gpu in enumerate(model.instances.gpus):
            if has and gpu >= has:
                yield Problem(("instances", "gpus", index), f"{gpu} given, must be below gpusPerNode, {has}")
        if isinstance(self.source, HubSource) and not (model.is_language_model and model.is_generated):
            text = f"{model.backend} given, but the source is the hub, which has no model repository: take s3 or claim"
            yield Problem(("backend",), text)

    def _language_model_rules(self) -> Iterator[Problem]:
        several = [name for name, model in self.models.items() if model.is_language_model]
        if len(several) > 1:
            text = f"{', '.join(several)} are language models, which take all GPUs: give each a server of its own"
            yield Problem(("models",), text)
        elif self.language_model and self.language_model[1].is_generated and self.gpus_per_node:
            name, model = self.language_model
            tensor, pipeline = self.tensor_parallel(model), model.pipeline_parallel
            if tensor * pipeline != self.gpus_per_node:
                given = f"{tensor} × pipelineParallel {pipeline} given"
                text = f"{given}, must be the GPUs of the pod, {self.gpus_per_node}"
                yield Problem(("models", name, "tensorParallel"), text)
            yield from memory_problems(self, lambda gpu: self._serving(model, gpu))

    def _cache_rules(self) -> Iterator[Problem]:
        cached = [name for name, model in self.models.items() if model.response_cache]
        if self.response_cache_mib is None:
            for name in cached:
                yield Problem(("models", name, "responseCache"), "given, but the server has no responseCacheMib")
        elif not cached:
            yield Problem(("responseCacheMib",), "given, but has no effect without a model with responseCache")
        elif self.response_cache_mib >= self.memory_gib * 1024:
            text = f"{self.response_cache_mib} given, must be less than the pod's memory, {self.memory_gib} GiB"
            yield Problem(("responseCacheMib",), text)

    def _serving(self, model: TritonModel, gpu: GpuMemory) -> Serving:
        return Serving(
            gpu=gpu,
            tensor_parallel=self.tensor_parallel(model),
            pipeline_parallel=model.pipeline_parallel,
            precision=None if model.precision == "auto" else model.precision,
            context_length=model.context_length,
            gpu_memory_utilization=model.memory_utilization,
            max_num_batched_tokens=model.token_batching.max_tokens,
            max_num_seqs=model.token_batching.max_requests,
        )


class TritonServer(ModelServer[TritonServerSpec]):
    """Triton, which loads the models that it is told to and no others."""

    def process(self) -> EngineProcess:
        """The script that lays out the repository, and becomes `tritonserver`."""
        spec = self.spec
        ports = spec.facts.ports
        arguments = [
            "--model-control-mode=explicit",
            *(f"--load-model={name}" for name in spec.models),
            f"--http-port={ports.http}",
            f"--grpc-port={ports.grpc}",
            f"--metrics-port={ports.metrics}",
            *spec.facts.metrics_arguments,
            *([f"--cache-config=local,size={spec.response_cache_mib * _MIB}"] if spec.response_cache_mib else []),
            *spec.arguments,
        ]
        command = ["/bin/bash", f"{CONFIGURATION_DIRECTORY}/{REPOSITORY_SCRIPT}"]
        return EngineProcess(command, arguments, self._variables())

    def files(self) -> dict[str, str]:
        """What the script reads: the list of models, and the configuration of each."""
        lines, files = [], {REPOSITORY_SCRIPT: script(REPOSITORY_SCRIPT)}
        for name, model in self.spec.models.items():
            file = model.facts.model_file
            lines.append(f"{name} {model.backend} {file}\n")
            if not model.is_generated:
                continue
            if model.is_language_model:
                files[f"{name}.{file}"] = json.dumps(self._language_model(model), indent=2)
            # TensorRT-LLM's comes with the program that reads it.
            if model.backend != "tensorrtllm":
                files[f"{name}.pbtxt"] = model.config(self.spec.gpus_per_node)
        return {**files, "models": "".join(lines)}

    def warm_up_request(self) -> WarmUpRequest:
        """One token of a language model, or zeros for the first model."""
        name, model = next(iter(self.spec.models.items()))
        return default_request("triton", name, generates=model.is_language_model, backend=model.backend)

    def _language_model(self, model: TritonModel) -> dict[str, Any]:
        """What the backend makes the language model with: JSON, which is YAML too."""
        return _of_vllm(self.spec, model) if model.backend == "vllm" else _of_tensorrt_llm(self.spec, model)

    def _variables(self) -> dict[str, Any]:
        source = self.spec.source
        if self.spec.language_model is None:
            return {}
        files = hub_files(source) if isinstance(source, HubSource) else {"HF_HUB_OFFLINE": "1"}
        if self.spec.language_model[1].backend == "vllm":
            # No figures about this server to its authors.
            return {"VLLM_NO_USAGE_STATS": "1", "VLLM_CACHE_ROOT": "/run/server/vllm", **files}
        return files


def _weights(spec: TritonServerSpec) -> dict[str, Any]:
    source = spec.source
    if isinstance(source, HubSource):
        return {"model": source.model, "revision": source.commit}
    return {"model": MODEL_DIRECTORY}


def _of_vllm(spec: TritonServerSpec, model: TritonModel) -> dict[str, Any]:
    given = {
        "max_model_len": model.context_length,
        "max_num_seqs": model.token_batching.max_requests,
        "max_num_batched_tokens": model.token_batching.max_tokens,
    }
    return {
        **_weights(spec),
        "dtype": model.precision,
        "tensor_parallel_size": spec.tensor_parallel(model),
        "pipeline_parallel_size": model.pipeline_parallel,
        "gpu_memory_utilization": model.memory_utilization,
        **{key: value for key, value in given.items() if value is not None},
    }


def _of_tensorrt_llm(spec: TritonServerSpec, model: TritonModel) -> dict[str, Any]:
    given = {
        "max_seq_len": model.context_length,
        "max_batch_size": model.token_batching.max_requests,
        "max_num_tokens": model.token_batching.max_tokens,
    }
    return {
        **_weights(spec),
        "backend": "pytorch",
        "dtype": model.precision,
        "tensor_parallel_size": spec.tensor_parallel(model),
        "pipeline_parallel_size": model.pipeline_parallel,
        "kv_cache_config": {"free_gpu_memory_fraction": model.memory_utilization},
        **{key: value for key, value in given.items() if value is not None},
        # Batches are made below Triton, and one request has one response.
        "triton_config": {"max_batch_size": 0, "decoupled": False},
    }
