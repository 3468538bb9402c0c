"""KServe: InferenceService, in its Standard mode, which needs neither Knative nor Istio."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from eksml.catalog import charts, engines, images
from eksml.component import Component
from eksml.controllers import affinity, operator_namespace, resources
from eksml.image_registry import image_of
from eksml.serving.cert_manager import CertManager, CertManagerSpec
from eksml.spec import Flag, Spec

# KServe's own template language: the name of the InferenceService.
_MODEL_NAME = "{{.Name}}"
_LABELS = {"control-plane": "kserve-controller-manager"}


class KServeSpec(Spec):
    """KServe's controller."""

    install_cert_manager: Flag = True
    """Whether to install cert-manager, which its webhooks need; false in a cluster that has it already."""


class KServe(Component):
    """KServe's definitions and its controller, after cert-manager unless that is there already.

    An InferenceService becomes a Deployment, a Service and a HorizontalPodAutoscaler; who reaches it from elsewhere is
    not KServe's to say, so it makes no Ingress. The runtimes are huggingface, tensorflow and triton; an
    InferenceService names one, or has a container of its own.

    Arguments:
        spec: how it runs.
        image_registry: a registry that images and charts come from, instead of their own.
    """

    def __init__(
        self,
        name: str,
        spec: KServeSpec,
        *,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:serving:KServe", name, spec, opts, image_registry=image_registry)
        needs: list[pulumi.Resource] = [operator_namespace(self, charts()["kserve-resources"].namespace)]
        if spec.install_cert_manager:
            certificates = CertManagerSpec()
            needs.append(
                CertManager(f"{name}-cert-manager", certificates, image_registry=image_registry, opts=self.child())
            )
        needs.append(self.helm_release("kserve-crd", {}, depends_on=[needs[0]]))
        release = self.helm_release("kserve-resources", _values(image_registry), depends_on=needs)
        # Not the chart of upstream's own: of its images some are years old.
        for runtime, runtime_spec in _runtimes(image_registry).items():
            k8s.apiextensions.CustomResource(
                f"{name}-{runtime}",
                api_version="serving.kserve.io/v1alpha1",
                kind="ClusterServingRuntime",
                metadata={"name": runtime},
                spec=runtime_spec,
                opts=self.child(depends_on=[release]),
            )
        self.register_outputs({})


def _values(image_registry: str | None) -> dict[str, Any]:
    # https://kserve.github.io/website/docs/admin-guide/configurations
    kserve = {
        "controller": {
            "deploymentMode": "Standard",
            "gateway": {"disableIngressCreation": True, "disableIstioVirtualHost": True},
            **_pinned("kserve-controller"),
            "imagePullPolicy": "IfNotPresent",
            "rbacProxyImage": image_of("kube-rbac-proxy", image_registry),
            # Helm merges: without a limit of ours the chart's stays, a tenth of a core, and it misses its lease.
            "resources": {
                "requests": {"cpu": "100m", "memory": "300Mi"},
                "limits": {"cpu": "1", "memory": "1Gi"},
            },
            "affinity": affinity(_LABELS),
        },
        "storage": _pinned("storage-initializer"),
        "agent": _pinned("kserve-agent"),
        "router": _pinned("kserve-router"),
        "servingruntime": {"art": _pinned("kserve-art-explainer", tag="defaultVersion")},
        # One core and 2 GiB, unless a pod says otherwise: of a model server every pod does.
        "inferenceservice": {"resources": {each: {"cpu": "", "memory": ""} for each in ("limits", "requests")}},
    }
    return {"kserve": kserve}


def _runtimes(image_registry: str | None) -> dict[str, dict[str, Any]]:
    """By name: how an engine starts on the model that KServe puts at /mnt/models, and which formats it takes."""
    image = {engine: image_of(fact.image, image_registry) for engine, fact in engines().items()}
    named = f"--model_name={_MODEL_NAME}"
    tensorflow = ["--port=9000", "--rest_api_port=8080", "--model_base_path=/mnt/models", named]
    triton = ["tritonserver", "--model-repository=/mnt/models", "--grpc-port=9000", "--http-port=8080"]
    return {
        "huggingface": _runtime(image["kserve"], [named], ["huggingface"], ["v2", "v1"]),
        "tensorflow": _runtime(image["tensorflowServing"], tensorflow, ["tensorflow"], ["v1", "grpc-v1"]),
        "triton": _runtime(image["triton"], triton, ["onnx", "pytorch", "tensorrt", "triton"], ["v2", "grpc-v2"]),
    }


def _runtime(image: str, arguments: list[str], formats: list[str], protocols: list[str]) -> dict[str, Any]:
    container = {
        "name": "kserve-container",
        "image": image,
        "args": arguments,
        "resources": resources("1", "2Gi", "2Gi"),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    return {
        "containers": [container],
        "protocolVersions": protocols,
        "supportedModelFormats": [{"name": each, "version": "1", "autoSelect": True} for each in formats],
    }


def _pinned(name: str, tag: str = "tag") -> dict[str, str]:
    image = images()[name]
    return {"image": image.repository, tag: image.tag}
