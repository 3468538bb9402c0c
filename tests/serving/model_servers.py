"""One small server of every engine, recorded."""

from typing import Any, NamedTuple

import pulumi
import pulumi_kubernetes as k8s

from eksml.plan import Plan, Resource
from eksml.serving.kserve_inference_service import KServeInferenceService, KServeInferenceServiceSpec
from eksml.serving.model_server import ModelServer
from eksml.serving.model_source import BucketSource, HubSource
from eksml.serving.openvino_server import OpenVinoModel, OpenVinoServer, OpenVinoServerSpec
from eksml.serving.ray_serve_vllm import RayServeVllm, RayServeVllmSpec
from eksml.serving.server import ServerSpec
from eksml.serving.tensorflow_serving import (
    TensorFlowBatching,
    TensorFlowModel,
    TensorFlowServing,
    TensorFlowServingSpec,
)
from eksml.serving.transformers_server import TransformersServer, TransformersServerSpec
from eksml.serving.triton_model import TritonModel
from eksml.serving.triton_server import TritonServer, TritonServerSpec
from eksml.serving.vllm_server import VllmServer, VllmServerSpec
from programs import recorded

QWEN = HubSource(model="Qwen/Qwen2.5-7B-Instruct", revision="a09a35458c702b33eeacc393d103063234e8bc28")
SERVER: dict[str, Any] = {"namespace": "vision", "gpus_per_node": 1, "instance_type": "g6.2xlarge", "pool": "serve"}


class Kind(NamedTuple):
    """A component of a server, its Spec, what it asks for beside the others, and the object that it makes."""

    component: type[ModelServer]
    spec: type[ServerSpec]
    own: dict[str, Any]
    made: str


BUCKET = BucketSource(prefix="teams/vision/models/")
SMALL = HubSource(model="distilbert/distilbert-base-uncased-finetuned-sst-2-english", revision="7" * 40)
KINDS = {
    "kserve": Kind(
        KServeInferenceService,
        KServeInferenceServiceSpec,
        {"source": SMALL},
        "kubernetes:serving.kserve.io/v1beta1:InferenceService",
    ),
    "rayServeVllm": Kind(
        RayServeVllm,
        RayServeVllmSpec,
        {"source": QWEN, "context_length": 8192},
        "kubernetes:ray.io/v1:RayService",
    ),
    "openVino": Kind(
        OpenVinoServer,
        OpenVinoServerSpec,
        {
            "source": BUCKET,
            "models": {"resnet": OpenVinoModel()},
            "gpus_per_node": 0,
            "instance_type": "m7i.2xlarge",
            "pool": None,
        },
        "kubernetes:apps/v1:Deployment",
    ),
    "tensorflowServing": Kind(
        TensorFlowServing,
        TensorFlowServingSpec,
        {"source": BUCKET, "models": {"resnet": TensorFlowModel()}, "batching": TensorFlowBatching()},
        "kubernetes:apps/v1:Deployment",
    ),
    "transformers": Kind(
        TransformersServer, TransformersServerSpec, {"source": SMALL}, "kubernetes:apps/v1:Deployment"
    ),
    "triton": Kind(
        TritonServer,
        TritonServerSpec,
        {"source": BUCKET, "models": {"resnet": TritonModel(backend="onnxruntime")}},
        "kubernetes:apps/v1:Deployment",
    ),
    "vllm": Kind(VllmServer, VllmServerSpec, {"source": QWEN, "context_length": 8192}, "kubernetes:apps/v1:Deployment"),
}


def spec_of(kind: str, **settings: Any) -> Any:
    """The Spec of a server."""
    _, spec_type, own, _ = KINDS[kind]
    return spec_type(**{**SERVER, **own, **settings})


def server(kind: str, *, bucket: str | None = "models", image_registry: str | None = None, **settings: Any) -> Plan:
    """The Plan of one server in a bare program."""
    spec = spec_of(kind, **settings)

    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        opts = pulumi.ResourceOptions(providers=[provider])
        made = KINDS[kind].component("chat", spec, bucket=bucket, image_registry=image_registry, opts=opts)
        pulumi.export("url", made.url)

    return recorded(program)


def made(plan: Plan, kind: str) -> Resource:
    """The object that runs the pods."""
    (found,) = plan.of_type(KINDS[kind].made)
    return found


def pod_of(plan: Plan, kind: str) -> dict[str, Any]:
    """The spec of the pods that have the model."""
    return template_of(plan, kind)["spec"]


def template_of(plan: Plan, kind: str) -> dict[str, Any]:
    """The template of the pods that have the model."""
    spec = made(plan, kind).inputs["spec"]
    if "predictor" in spec:
        return {"metadata": {"labels": spec["predictor"]["labels"]}, "spec": spec["predictor"]}
    if "rayClusterConfig" in spec:
        return spec["rayClusterConfig"]["workerGroupSpecs"][0]["template"]
    return spec["template"]


def environment(plan: Plan, kind: str) -> dict[str, Any]:
    """The environment of the engine, with what a secret is taken from in the place of its value."""
    variables = pod_of(plan, kind)["containers"][0]["env"]
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in variables}
