"""vLLM: a language model behind the protocol of OpenAI, on the GPUs of one node or of several."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from eksml import names
from eksml.errors import Problem
from eksml.kubernetes_object import KubernetesObject
from eksml.secret_key import SecretKey
from eksml.serving.language_model import LanguageModelSpec
from eksml.serving.model_server import ModelServer
from eksml.serving.model_source import MODEL_DIRECTORY, BucketSource, ClaimSource, HubSource, ModelId
from eksml.serving.pod import EngineProcess, hub_files
from eksml.sizing.inference import GpuMemory, Serving
from eksml.spec import Flag, RelativePath, Spec, pattern

_RENDEZVOUS_PORT = 29500
# What the fields of the Spec say; each with the field.
_SAID_BY_FIELDS = {
    "--api-key": "apiKey",
    "--dtype": "precision",
    "--enable-lora": "lora",
    "--enable-prefix-caching": "prefixCaching",
    "--gpu-memory-utilization": "memoryUtilization",
    "--kv-cache-dtype": "kvCachePrecision",
    "--lora-modules": "lora",
    "--max-model-len": "contextLength",
    "--max-num-batched-tokens": "batching.maxTokens",
    "--max-num-seqs": "batching.maxRequests",
    "--model": "source",
    "--no-enable-prefix-caching": "prefixCaching",
    "--nnodes": "nodes",
    "--pipeline-parallel-size": "pipelineParallel",
    "--quantization": "quantization",
    "--revision": "source.revision",
    "--served-model-name": "servedName",
    "--tensor-parallel-size": "tensorParallel",
}

# What a setting makes of the weights, in the catalog's words; none where the model's own configuration says it.
_WIDTHS = {
    "awq": "int4",
    "gptq": "int4",
    "fp8": "fp8",
    "bitsandbytes": "int4",
    "bfloat16": "bfloat16",
    "float16": "float16",
    "float32": "float32",
}

Share = Annotated[float, Field(gt=0, lt=1)]
AdapterName = Annotated[str, pattern(r"^[A-Za-z0-9][\w.-]{0,62}$", "a name of letters, digits and _.-")]


class LoraAdapter(Spec):
    """A LoRA adapter, which clients ask for by its name as if it were a model."""

    model: ModelId | None = None
    """The adapter on the Hugging Face hub."""
    path: RelativePath | None = None
    """Its folder below that of the model, where the source is a claim."""

    def rules(self) -> Iterator[Problem]:
        """It is in one place."""
        if (self.model is None) == (self.path is None):
            yield Problem((), "must have model, for one on the hub, or path, for one beside the model: one of them")


class Lora(Spec):
    """LoRA adapters that one server has beside its model."""

    adapters: Annotated[dict[AdapterName, LoraAdapter], Field(min_length=1)]
    """The adapters by the name that clients ask for."""
    max_rank: Literal[8, 16, 32, 64, 128, 256, 320, 512] = 16
    """The largest rank of an adapter."""
    max_in_batch: Annotated[int, Field(strict=True, ge=1, le=64)] = 1
    """How many of them one batch may use."""


class VllmServerSpec(LanguageModelSpec):
    """vLLM with one model."""

    kind: Literal["vllm"] = "vllm"
    """The engine: vllm."""
    nodes: Annotated[int, Field(strict=True, ge=1, le=64)] = 1
    """Pods that serve one copy of the model together, one for each node; more than one by a LeaderWorkerSet."""
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
    lora: Lora | None = None
    """LoRA adapters beside the model."""
    api_key: SecretKey | None = None
    """Where the key is that clients must send; vLLM checks it itself."""
    arguments: tuple[str, ...] = ()
    """More arguments of `vllm serve`, such as --enable-auto-tool-choice."""

    def rules(self) -> Iterator[Problem]:
        """Every GPU has its part of the model, and every setting its place."""
        yield from super().rules()
        if not self.gpus_per_node:
            yield Problem(("gpusPerNode",), "0 given, must be at least 1: vLLM's image is for GPUs")
        elif self.tensor_size * self.pipeline_size != self._gpus:
            given = f"{self.tensor_size} × pipelineParallel {self.pipeline_size} given"
            yield Problem(("tensorParallel",), f"{given}, must be the GPUs of all nodes, {self._gpus}")
        for index, argument in enumerate(self.arguments):
            if field := _SAID_BY_FIELDS.get(argument.partition("=")[0]):
                yield Problem(("arguments", index), f"'{argument}' given, but {field} says it")
        for name, adapter in (self.lora.adapters if self.lora else {}).items():
            if adapter.path and not isinstance(self.source, ClaimSource):
                yield Problem(("lora", "adapters", name, "path"), "given, but the source is no claim: give model")

    def serving(self, gpu: GpuMemory) -> Serving:
        """How vLLM holds the model on a GPU."""
        return Serving(
            gpu=gpu,
            tensor_parallel=self.tensor_size,
            pipeline_parallel=self.pipeline_size,
            precision=_WIDTHS.get(self.quantization or self.precision),
            kv_precision="fp8" if self.kv_cache_precision == "fp8" else None,
            context_length=self.context_length,
            gpu_memory_utilization=self.memory_utilization,
            max_num_batched_tokens=self.batching.max_tokens,
            max_num_seqs=self.batching.max_requests,
        )

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
    def most_pods(self) -> int:
        """Pods at the most: a LeaderWorkerSet takes a group away before it makes the next one."""
        return super().most_pods if self.nodes == 1 else self.most_replicas * self.nodes

    @property
    def needs(self) -> Iterator[str]:
        """Those of every server, and what makes groups of pods."""
        yield from super().needs
        if self.nodes > 1:
            yield "serving.leaderWorkerSet"

    @property
    def mounts_bucket(self) -> bool:
        """Never: vLLM streams from S3."""
        return False


class VllmServer(ModelServer[VllmServerSpec]):
    """vLLM on the GPUs of a node, as a Deployment; on those of several, as a LeaderWorkerSet."""

    def process(self) -> EngineProcess:
        """`vllm serve`, with what the Spec says."""
        return EngineProcess(["vllm", "serve"], self._arguments(), self._variables())

    @property
    def api_key(self) -> SecretKey | None:
        """The key that clients must send."""
        return self.spec.api_key

    def workload(self) -> KubernetesObject:
        """One group of pods for each replica, where a copy of the model takes several nodes."""
        if self.spec.nodes == 1:
            return super().workload()
        return KubernetesObject(
            "leaderworkerset.x-k8s.io/v1",
            "LeaderWorkerSet",
            self.resource_name,
            {
                "spec": {
                    **({} if self.spec.autoscaling else {"replicas": self.spec.replicas}),
                    "leaderWorkerTemplate": {
                        "size": self.spec.nodes,
                        # A group that has lost one of its pods cannot go on without it.
                        "restartPolicy": "RecreateGroupOnPodRestart",
                        "leaderTemplate": self.pods(),
                        "workerTemplate": self._workers(),
                    },
                }
            },
        )

    def _workers(self) -> dict[str, Any]:
        template = self.pods()
        template["metadata"]["labels"] = {
            **names.queue_labels(self.spec.queue, self.spec.priority),
            names.SERVER_WORKER_LABEL: self.resource_name,
        }
        container = template["spec"]["containers"][0]
        template["spec"]["containers"] = [container]
        container["args"] = [*container["args"], "--headless"]
        # Only the leader answers; if a worker ends, its whole group begins again.
        for key in ("ports", "startupProbe", "readinessProbe", "livenessProbe", "lifecycle"):
            container.pop(key)
        return template

    def _arguments(self) -> list[Any]:
        spec = self.spec
        arguments: list[Any] = [
            self._model(),
            "--served-model-name",
            spec.model_name(self.resource_name),
            "--port",
            str(spec.facts.ports.http),
            "--tensor-parallel-size",
            str(spec.tensor_size),
            "--pipeline-parallel-size",
            str(spec.pipeline_size),
            "--gpu-memory-utilization",
            f"{spec.memory_utilization:g}",
            "--dtype",
            spec.precision,
            "--enable-prefix-caching" if spec.prefix_caching else "--no-enable-prefix-caching",
        ]
        given = {
            "--revision": spec.source.commit if isinstance(spec.source, HubSource) else None,
            "--load-format": "runai_streamer" if isinstance(spec.source, BucketSource) else None,
            "--max-model-len": spec.context_length,
            "--max-num-seqs": spec.batching.max_requests,
            "--max-num-batched-tokens": spec.batching.max_tokens,
            "--quantization": spec.quantization,
            "--kv-cache-dtype": spec.kv_cache_precision if spec.kv_cache_precision != "auto" else None,
        }
        arguments += [part for key, value in given.items() if value is not None for part in (key, str(value))]
        return [*arguments, *self._lora(), *self._group(), *spec.arguments]

    def _model(self) -> Any:
        source = self.spec.source
        if isinstance(source, HubSource):
            return source.model
        return self.bucket_address(source) if isinstance(source, BucketSource) else MODEL_DIRECTORY

    def _lora(self) -> list[str]:
        lora = self.spec.lora
        if lora is None:
            return []
        adapters = [f"{name}={each.model or f'{MODEL_DIRECTORY}/{each.path}'}" for name, each in lora.adapters.items()]
        limits = ["--max-lora-rank", str(lora.max_rank), "--max-loras", str(lora.max_in_batch)]
        return ["--enable-lora", *limits, "--lora-modules", *adapters]

    def _group(self) -> list[str]:
        """How the pods of a group find each other, from what the LeaderWorkerSet tells each of them."""
        if self.spec.nodes == 1:
            return []
        group = {
            "--distributed-executor-backend": "mp",
            "--nnodes": str(self.spec.nodes),
            "--node-rank": "$(LWS_WORKER_INDEX)",
            "--master-addr": "$(LWS_LEADER_ADDRESS)",
            "--master-port": str(_RENDEZVOUS_PORT),
        }
        return [part for option in group.items() for part in option]

    def _variables(self) -> dict[str, Any]:
        source = self.spec.source
        variables: dict[str, Any] = {
            # No figures about this server to its authors.
            "VLLM_NO_USAGE_STATS": "1",
            "VLLM_CACHE_ROOT": "/run/server/vllm",
        }
        if self.spec.api_key:
            variables["VLLM_API_KEY"] = self.spec.api_key
        if isinstance(source, HubSource):
            return variables | hub_files(source)
        # Nothing is fetched that was not put there.
        variables["HF_HUB_OFFLINE"] = "0" if self.spec.lora else "1"
        if isinstance(source, BucketSource) and self._region is not None:
            variables["AWS_REGION"] = self._region
        return variables
