"""KServe's server of Hugging Face models, whoever runs it: Transformers on PyTorch, for every task that it knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from eksml.catalog import inference_engines, models
from eksml.errors import Problem
from eksml.serving.language_model import LanguageModelSpec
from eksml.serving.model_server import ModelServer
from eksml.serving.model_source import MODEL_DIRECTORY, HubSource
from eksml.serving.pod import EngineProcess, hub_files
from eksml.serving.warm_up import WarmUpRequest, default_request
from eksml.sizing.inference import GpuMemory, Serving

Task = Literal[
    "text_generation",
    "text2text_generation",
    "fill_mask",
    "token_classification",
    "sequence_classification",
    "text_embedding",
]
_GENERATIVE = ("text_generation", "text2text_generation")


class HuggingFaceSpec(LanguageModelSpec):
    """The fields of every server of Hugging Face's Transformers."""

    task: Task | None = None
    """What the model does; none given: what its configuration says."""

    def rules(self) -> Iterator[Problem]:
        """Transformers has no batches of its own."""
        yield from super().rules()
        yield from self.without_effect("Transformers, which takes one request at a time", "batching")

    @property
    def generates(self) -> bool:
        """Whether the model answers with text."""
        model = models().get(self.source.hub_model or "")
        known = "textGeneration" in model.tasks if model else True
        return self.task in _GENERATIVE if self.task else known

    def serving(self, gpu: GpuMemory) -> Serving:
        """How Transformers holds the model: whole on one GPU."""
        return Serving(
            gpu=gpu,
            precision=None if self.precision == "auto" else self.precision,
            context_length=self.context_length,
            engine=inference_engines()["transformers"],
        )


def huggingface_process(server: ModelServer[Any], spec: HuggingFaceSpec) -> EngineProcess:
    """`huggingfaceserver` with its Hugging Face backend: vLLM, which it would take by itself, has its own engine."""
    source = spec.source
    options: dict[str, Any] = {
        "--model_name": spec.model_name(server.resource_name),
        "--backend": "huggingface",
        "--http_port": spec.facts.ports.http,
        "--grpc_port": spec.facts.ports.grpc,
        "--dtype": spec.precision,
        "--max_model_len": spec.context_length,
        "--task": spec.task,
    }
    if isinstance(source, HubSource):
        variables = hub_files(source)
        options |= {"--model_id": source.model, "--model_revision": source.commit}
    else:
        # Nothing is fetched that was not put there.
        variables = {"HF_HUB_OFFLINE": "1"}
        options["--model_dir"] = MODEL_DIRECTORY
    arguments = [f"{key}={value}" for key, value in options.items() if value is not None]
    return EngineProcess(["python3", "-m", "huggingfaceserver"], [*arguments, "--disable_log_requests"], variables)


def huggingface_warm_up(server: ModelServer[Any], spec: HuggingFaceSpec) -> WarmUpRequest:
    """One token, or one short text."""
    return default_request(spec.kind, spec.model_name(server.resource_name), generates=spec.generates)
