"""vLLM itself, whoever starts it: how it shares a model among GPUs, and what it keeps in their memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import Field

from eksml.catalog import models, precisions
from eksml.errors import Problem
from eksml.serving.language_model import LanguageModelSpec
from eksml.serving.model_server import ModelServer
from eksml.serving.model_source import MODEL_DIRECTORY, BucketSource, HubSource
from eksml.serving.pod import RUN_DIRECTORY, hub_files
from eksml.sizing.arguments import WEIGHT_PRECISIONS
from eksml.sizing.inference import GpuMemory, Serving
from eksml.spec import Flag

# Quantisations that a checkpoint has or has not; the others are made when it is loaded.
_OF_THE_CHECKPOINT = ("awq", "gptq", "compressed-tensors")

Share = Annotated[float, Field(gt=0, lt=1)]


class VllmEngineSpec(LanguageModelSpec):
    """The fields of every server that runs vLLM."""

    nodes: Annotated[int, Field(strict=True, ge=1, le=64)] = 1
    """Pods that serve one copy of the model together, one for each node."""
    tensor_parallel: Annotated[int, Field(strict=True, ge=1, le=64)] | None = None
    """GPUs that share each layer; by default those of a node."""
    pipeline_parallel: Annotated[int, Field(strict=True, ge=1, le=64)] | None = None
    """Groups of GPUs that have different layers; by default one for each node."""
    quantization: Literal["awq", "gptq", "fp8", "bitsandbytes", "compressed-tensors"] | None = None
    """How the weights are quantised; none given: as the model's own configuration says."""
    kv_cache_precision: Literal["auto", "fp8"] = "auto"
    """What the KV cache is held in: auto, as the model, or fp8, in half of it."""
    memory_utilization: Share = 0.9
    """The share of a GPU's memory that vLLM may take."""
    prefix_caching: Flag = True
    """Whether what many requests begin with, such as a system prompt, is computed once."""

    def rules(self) -> Iterator[Problem]:
        """Every GPU has its part of the model."""
        yield from super().rules()
        model = models().get(self.source.hub_model or "")
        if model and self.quantization in _OF_THE_CHECKPOINT and not precisions()[model.precision].quantized:
            text = f"{self.quantization} given, but {self.source.hub_model} is published in {model.precision}: take fp8"
            yield Problem(("quantization",), text)
        if not self.gpus_per_node:
            yield Problem(("gpusPerNode",), "0 given, must be at least 1: vLLM's image is for GPUs")
        elif self.tensor_size * self.pipeline_size != self._gpus:
            given = f"{self.tensor_size} × pipelineParallel {self.pipeline_size} given"
            yield Problem(("tensorParallel",), f"{given}, must be the GPUs of all nodes, {self._gpus}")

    def serving(self, gpu: GpuMemory) -> Serving:
        """How vLLM holds the model on a GPU."""
        return Serving(
            gpu=gpu,
            tensor_parallel=self.tensor_size,
            pipeline_parallel=self.pipeline_size,
            precision=WEIGHT_PRECISIONS.get(self.quantization or self.precision),
            kv_precision="fp8" if self.kv_cache_precision == "fp8" else None,
            context_length=self.context_length,
            gpu_memory_utilization=self.memory_utilization,
            max_num_batched_tokens=self.batching.max_tokens,
            max_num_seqs=self.batching.max_requests,
        )

    @property
    def engine_options(self) -> dict[str, Any]:
        """The arguments of the engine, as vLLM names them in Python: a command has hyphens for underscores."""
        given = {
            "tensor_parallel_size": self.tensor_size,
            "pipeline_parallel_size": self.pipeline_size,
            "gpu_memory_utilization": self.memory_utilization,
            "dtype": self.precision,
            "enable_prefix_caching": self.prefix_caching,
            "revision": self.source.commit if isinstance(self.source, HubSource) else None,
            "load_format": "runai_streamer" if isinstance(self.source, BucketSource) else None,
            "max_model_len": self.context_length,
            "max_num_seqs": self.batching.max_requests,
            "max_num_batched_tokens": self.batching.max_tokens,
            "quantization": self.quantization,
            "kv_cache_dtype": self.kv_cache_precision if self.kv_cache_precision != "auto" else None,
        }
        return {key: value for key, value in given.items() if value is not None}

    @property
    def memory_share(self) -> tuple[str, float]:
        """What vLLM takes at once, whatever the model needs."""
        return "memoryUtilization", self.memory_utilization

    @property
    def tensor_size(self) -> int:
        """GPUs that share each layer."""
        return self.tensor_parallel or max(1, self._gpus // self.pipeline_size)

    @property
    def pipeline_size(self) -> int:
        """Groups of GPUs that have different layers."""
        if self.pipeline_parallel or self.tensor_parallel is None:
            return self.pipeline_parallel or self.nodes
        return max(1, self._gpus // self.tensor_parallel)

    @property
    def _gpus(self) -> int:
        return self.gpus_per_node * self.nodes

    @property
    def mounts_bucket(self) -> bool:
        """Never: vLLM streams from S3."""
        return False


EngineSpecType = TypeVar("EngineSpecType", bound=VllmEngineSpec)


class VllmEngine(ModelServer[EngineSpecType], Generic[EngineSpecType]):
    """What every server that runs vLLM has in common."""

    def model_address(self) -> Any:
        """Where vLLM reads the model from."""
        source = self.spec.source
        if isinstance(source, HubSource):
            return source.model
        return self.bucket_address(source) if isinstance(source, BucketSource) else MODEL_DIRECTORY

    def variables(self) -> dict[str, Any]:
        """The environment of vLLM."""
        source = self.spec.source
        variables: dict[str, Any] = {
            # No figures about this server to its authors.
            "VLLM_NO_USAGE_STATS": "1",
            "VLLM_CACHE_ROOT": f"{RUN_DIRECTORY}/vllm",
        }
        if isinstance(source, HubSource):
            return variables | hub_files(source)
        # Nothing is fetched that was not put there.
        variables["HF_HUB_OFFLINE"] = "1"
        if isinstance(source, BucketSource) and self.region is not None:
            variables["AWS_REGION"] = self.region
        return variables
