"""Every kind of model server: what a stack file can say, and which component builds it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from eksml.serving.kserve_inference_service import KServeInferenceService, KServeInferenceServiceSpec
from eksml.serving.model_server import ModelServer
from eksml.serving.openvino_server import OpenVinoServer, OpenVinoServerSpec
from eksml.serving.ray_serve_vllm import RayServeVllm, RayServeVllmSpec
from eksml.serving.server import ServerSpec
from eksml.serving.tensorflow_serving import TensorFlowServing, TensorFlowServingSpec
from eksml.serving.transformers_server import TransformersServer, TransformersServerSpec
from eksml.serving.triton_server import TritonServer, TritonServerSpec
from eksml.serving.vllm_server import VllmServer, VllmServerSpec

Server = Annotated[
    KServeInferenceServiceSpec
    | OpenVinoServerSpec
    | RayServeVllmSpec
    | TensorFlowServingSpec
    | TransformersServerSpec
    | TritonServerSpec
    | VllmServerSpec,
    Field(discriminator="kind"),
]

_COMPONENTS: dict[type[ServerSpec], type[ModelServer[Any]]] = {
    KServeInferenceServiceSpec: KServeInferenceService,
    OpenVinoServerSpec: OpenVinoServer,
    RayServeVllmSpec: RayServeVllm,
    TensorFlowServingSpec: TensorFlowServing,
    TransformersServerSpec: TransformersServer,
    TritonServerSpec: TritonServer,
    VllmServerSpec: VllmServer,
}


def model_server(name: str, spec: ServerSpec, **handles: Any) -> ModelServer[Any]:
    """The component of a server, with the run-time handles of ModelServer."""
    return _COMPONENTS[type(spec)](name, spec, **handles)
