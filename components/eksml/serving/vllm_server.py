"""vLLM: a language model behind the protocol of OpenAI, on the GPUs of one node or of several."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from eksml import names
from eksml.errors import Problem
from eksml.kubernetes_object import KubernetesObject
from eksml.secret_key import SecretKey
from eksml.serving.model_source import MODEL_DIRECTORY, ClaimSource, HubSource, ModelId
from eksml.serving.pod import EngineProcess
from eksml.serving.server import said_elsewhere
from eksml.serving.vllm_engine import VllmEngine, VllmEngineSpec
from eksml.spec import RelativePath, Spec, pattern

_RENDEZVOUS_PORT = 29500
# What the fields of the Spec say; each with the field.
_SAID_BY_FIELDS = {
    "--api-key": "apiKey",
    "--dtype": "precision",
    "--host": "the catalog",
    "--port": "the catalog",
    "-pp": "pipelineParallel",
    "-q": "quantization",
    "-tp": "tensorParallel",
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


class VllmServerSpec(VllmEngineSpec):
    """vLLM with one model."""

    kind: Literal["vllm"] = "vllm"
    """The engine: vllm."""
    lora: Lora | None = None
    """LoRA adapters beside the model."""
    api_key: SecretKey | None = None
    """Where the key is that clients must send; vLLM checks it itself."""
    arguments: tuple[str, ...] = ()
    """More arguments of `vllm serve`, such as --enable-auto-tool-choice."""

    def rules(self) -> Iterator[Problem]:
        """Every setting has its place."""
        yield from super().rules()
        yield from said_elsewhere(self.arguments, _SAID_BY_FIELDS)
        for name, adapter in (self.lora.adapters if self.lora else {}).items():
            if adapter.path and not isinstance(self.source, ClaimSource):
                yield Problem(("lora", "adapters", name, "path"), "given, but the source is no claim: give model")

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


class VllmServer(VllmEngine[VllmServerSpec]):
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
                        "leaderTemplate": self._leader(),
                        "workerTemplate": self._workers(),
                    },
                }
            },
        )

    def _disruption_budget(self) -> None:
        if self.spec.nodes == 1:
            super()._disruption_budget()
            return
        # With any of its pods, a whole group goes.
        spec = {"maxUnavailable": 1, "selector": {"matchLabels": {names.SERVER_GROUP_LABEL: self.resource_name}}}
        self.add("policy/v1", "PodDisruptionBudget", self.resource_name, {"spec": spec})

    def _leader(self) -> dict[str, Any]:
        template = self.pods()
        template["metadata"]["labels"][names.SERVER_GROUP_LABEL] = self.resource_name
        return template

    def _workers(self) -> dict[str, Any]:
        template = self.pods()
        template["metadata"]["labels"] = {
            **names.queue_labels(self.spec.queue, self.spec.priority),
            names.SERVER_GROUP_LABEL: self.resource_name,
        }
        # Traffic between zones is slow and paid for: they go where the leader of their group is.
        template["spec"].pop("topologySpreadConstraints")
        near = {
            "labelSelector": {"matchLabels": {names.SERVER_GROUP_LABEL: self.resource_name}},
            "matchLabelKeys": ["leaderworkerset.sigs.k8s.io/group-key"],
            "topologyKey": names.ZONE_LABEL,
        }
        preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": near}]}
        template["spec"]["affinity"] = {**template["spec"].get("affinity", {}), "podAffinity": preferred}
        container = template["spec"]["containers"][0]
        template["spec"]["containers"] = [container]
        container["args"] = [*container["args"], "--headless"]
        # Only the leader answers; if a worker ends, its whole group begins again.
        for key in ("ports", "startupProbe", "readinessProbe", "livenessProbe", "lifecycle"):
            container.pop(key)
        return template

    def _arguments(self) -> list[Any]:
        spec = self.spec
        arguments: list[Any] = [self.model_address(), "--served-model-name", spec.model_name(self.resource_name)]
        arguments += ["--port", str(spec.facts.ports.http)]
        arguments += [part for key, value in spec.engine_options.items() for part in _option(key, value)]
        return [*arguments, *self._lora(), *self._group(), *spec.arguments]

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
        spec = self.spec
        own: dict[str, Any] = {"VLLM_API_KEY": spec.api_key} if spec.api_key else {}
        if spec.lora and not isinstance(spec.source, HubSource):
            # An adapter may come from the hub where the model does not.
            own["HF_HUB_OFFLINE"] = "0"
        return self.variables() | own


def _option(key: str, value: Any) -> list[str]:
    name = key.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    return [f"--{name}", f"{value:g}" if isinstance(value, float) else str(value)]
