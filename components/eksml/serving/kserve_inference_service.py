"""KServe's InferenceService: the server of Hugging Face models again, kept running and scaled by KServe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.alias_generators import to_camel

from eksml import names
from eksml.errors import Problem
from eksml.kubernetes_object import KubernetesObject
from eksml.serving.autoscaling import CpuAutoscaling, MetricAutoscaling, measure
from eksml.serving.hugging_face import HuggingFaceSpec, huggingface_process, huggingface_warm_up
from eksml.serving.model_server import ModelServer, update_strategy
from eksml.serving.pod import EngineProcess
from eksml.serving.warm_up import WarmUpRequest

# The ScaledObject and the HorizontalPodAutoscaler that KServe makes have no more in them than this.
_NOT_KSERVES = {
    "metric": ("activation", "cooldown_seconds", "fallback_replicas", "polling_seconds", "working_hours"),
    "cpu": ("scale_down_seconds",),
}


class KServeInferenceServiceSpec(HuggingFaceSpec):
    """Transformers with one model as an InferenceService of KServe, in its Standard mode."""

    kind: Literal["kserve"] = "kserve"
    """The engine: kserve."""
    autoscaling: Annotated[MetricAutoscaling | CpuAutoscaling, Field(discriminator="kind")] | None = None
    """What changes the number of servers, instead of replicas: metric, by KServe and KEDA, or cpu, by KServe."""

    def rules(self) -> Iterator[Problem]:
        """KServe changes and scales its Deployment itself."""
        yield from super().rules()
        if self.rollout:
            text = "given, but KServe changes its Deployment itself: take kind transformers for judged versions"
            yield Problem(("rollout",), text)
        if self.autoscaling is None:
            return
        if self.autoscaling.min_replicas == 0:
            text = "0 given, must be at least 1: without Knative nothing wakes an InferenceService"
            yield Problem(("autoscaling", "minReplicas"), text)
        for field in _NOT_KSERVES[self.autoscaling.kind]:
            if field in self.autoscaling.model_fields_set:
                text = "given, but KServe, which makes the autoscaler, has no such setting"
                yield Problem(("autoscaling", to_camel(field)), text)

    @property
    def needs(self) -> Iterator[str]:
        """Those of every server, and KServe."""
        yield from super().needs
        yield "serving.kserve"


class KServeInferenceService(ModelServer[KServeInferenceServiceSpec]):
    """An InferenceService whose predictor is a pod of ours; KServe makes a Deployment NAME-predictor of it.

    KServe's own Service, NAME-predictor, is there too. Clients, `url` and exposure use the server's own, which finds
    the same pods and has the engine's ports.
    """

    # Its fields: pkg/apis/serving/v1beta1 of https://github.com/kserve/kserve; what becomes of them: the reconcilers of
    # deployment, hpa and keda below pkg/controller/v1beta1/inferenceservice. With a model in the place of a container,
    # KServe's storage initializer would copy the weights to the node's disk at each start.

    def process(self) -> EngineProcess:
        """The server, with its Hugging Face backend."""
        return huggingface_process(self, self.spec)

    def warm_up_request(self) -> WarmUpRequest:
        """One token, or one short text."""
        return huggingface_warm_up(self, self.spec)

    def workload(self) -> KubernetesObject:
        """The InferenceService."""
        template = self.pods()
        # By this name KServe knows the container that answers.
        template["spec"]["containers"][0]["name"] = "kserve-container"
        predictor = {
            "labels": template["metadata"]["labels"],
            "minReplicas": self.spec.least_replicas,
            "maxReplicas": self.spec.most_replicas,
            **self._autoscaling(),
            "deploymentStrategy": update_strategy(self.spec),
            **template["spec"],
        }
        return KubernetesObject(
            "serving.kserve.io/v1beta1", "InferenceService", self.resource_name, {"spec": {"predictor": predictor}}
        )

    @property
    def annotations(self) -> dict[str, str]:
        """How KServe runs and scales it, and that `pulumi up` waits for it."""
        scaler = {"metric": "keda", "cpu": "hpa"}[self.spec.autoscaling.kind] if self.spec.autoscaling else "none"
        return {
            # The validation of the autoscaler goes by this, whatever KServe's own default is.
            "serving.kserve.io/deploymentMode": "Standard",
            "serving.kserve.io/autoscalerClass": scaler,
            "pulumi.com/waitFor": "condition=Ready",
        }

    def _scale(self, made: KubernetesObject) -> None:
        """Leaves it to KServe."""

    def _autoscaling(self) -> dict[str, Any]:
        autoscaling = self.spec.autoscaling
        if autoscaling is None:
            return {}
        if isinstance(autoscaling, CpuAutoscaling):
            target = {"type": "Utilization", "averageUtilization": autoscaling.target_percent}
            return {"autoScaling": {"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]}}
        measured = measure(autoscaling, self.spec.kind, self.spec.namespace, self.resource_name)
        metric = {"backend": "prometheus", "serverAddress": names.PROMETHEUS_URL, "query": measured.query}
        # KServe takes the target from `value` only; to KEDA it is that of one replica all the same.
        external = {"metric": metric, "target": {"type": "Value", "value": measured.target}}
        behavior = {
            "scaleUp": {"stabilizationWindowSeconds": 0},
            "scaleDown": {"stabilizationWindowSeconds": autoscaling.scale_down_seconds},
        }
        return {"autoScaling": {"metrics": [{"type": "External", "external": external}], "behavior": behavior}}
