"""Hugging Face Transformers: any model of the hub, with no more than a Deployment."""

from __future__ import annotations

from typing import Literal

from eksml.serving.hugging_face import HuggingFaceSpec, huggingface_process, huggingface_warm_up
from eksml.serving.model_server import ModelServer
from eksml.serving.pod import EngineProcess
from eksml.serving.warm_up import WarmUpRequest


class TransformersServerSpec(HuggingFaceSpec):
    """Transformers with one model, on CPUs or on a GPU."""

    kind: Literal["transformers"] = "transformers"
    """The engine: transformers."""


class TransformersServer(ModelServer[TransformersServerSpec]):
    """KServe's server of Hugging Face models as a plain Deployment; nothing is installed when a pod starts."""

    def process(self) -> EngineProcess:
        """The server, with its Hugging Face backend."""
        return huggingface_process(self, self.spec)

    def warm_up_request(self) -> WarmUpRequest:
        """One token, or one short text."""
        return huggingface_warm_up(self, self.spec)
