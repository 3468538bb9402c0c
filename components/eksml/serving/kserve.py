"""KServe: InferenceService, in its Standard mode, which needs neither Knative nor Istio."""

from __future__ import annotations

from typing import Any

import pulumi

from eksml.catalog import charts
from eksml.component import Component
from eksml.controllers import affinity, operator_namespace
from eksml.image_registry import image_of
from eksml.serving.cert_manager import CertManager, CertManagerSpec
from eksml.spec import Flag, Spec

_LABELS = {"control-plane": "kserve-controller-manager"}


class KServeSpec(Spec):
    """KServe's controller."""

    install_cert_manager: Flag = True
    """Whether to install cert-manager, which its webhooks need; false in a cluster that has it already."""


class KServe(Component):
    """KServe's definitions and its controller, after cert-manager unless that is there already.

    An InferenceService becomes a Deployment, a Service and a HorizontalPodAutoscaler; who reaches it from elsewhere is
    not KServe's to say, so it makes no Ingress. It brings no runtimes: an InferenceService has its own container.

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
        self.helm_release("kserve-resources", _values(image_registry), depends_on=needs)
        self.register_outputs({})


def _values(image_registry: str | None) -> dict[str, Any]:
    # https://kserve.github.io/website/docs/admin-guide/configurations
    kserve = {
        "controller": {
            "deploymentMode": "Standard",
            "gateway": {"disableIngressCreation": True, "disableIstioVirtualHost": True},
            **_named("image", "tag", "kserve-controller", None),
            "imagePullPolicy": "IfNotPresent",
            "rbacProxyImage": image_of("kube-rbac-proxy", image_registry),
            # Helm merges: without a limit of ours the chart's stays, a tenth of a core, and it misses its lease.
            "resources": {
                "requests": {"cpu": "100m", "memory": "300Mi"},
                "limits": {"cpu": "1", "memory": "1Gi"},
            },
            "affinity": affinity(_LABELS),
        },
        "storage": _named("image", "tag", "kserve-storage-initializer", image_registry),
        "agent": _named("image", "tag", "kserve-agent", image_registry),
        "router": _named("image", "tag", "kserve-router", image_registry),
        "servingruntime": {"art": _named("image", "defaultVersion", "kserve-art-explainer", image_registry)},
        # One core and 2 GiB, unless a pod says otherwise: of a model server every pod does.
        "inferenceservice": {"resources": {each: {"cpu": "", "memory": ""} for each in ("limits", "requests")}},
    }
    return {"kserve": kserve}


def _named(repository_key: str, tag_key: str, image: str, image_registry: str | None) -> dict[str, str]:
    repository, _, tag = image_of(image, image_registry).rpartition(":")
    return {repository_key: repository, tag_key: tag}
