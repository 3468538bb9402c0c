"""cert-manager: the certificates by which the API server trusts the webhooks of KServe."""

from __future__ import annotations

from typing import Any

import pulumi

from eksml.catalog import charts
from eksml.component import Component
from eksml.controllers import affinity, operator_namespace, resources
from eksml.spec import PositiveCount, Spec


class CertManagerSpec(Spec):
    """cert-manager."""

    replicas: PositiveCount = 1
    """Pods of each of its three parts."""


class CertManager(Component):
    """cert-manager's chart, its definitions with it. A cluster has it once.

    Arguments:
        spec: how it runs.
        image_registry: a registry that images and chart come from, instead of their own.
    """

    def __init__(
        self,
        name: str,
        spec: CertManagerSpec,
        *,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:serving:CertManager", name, spec, opts, image_registry=image_registry)
        namespace = charts()["cert-manager"].namespace
        made = operator_namespace(self, namespace)
        self.helm_release("cert-manager", _values(spec, namespace), depends_on=[made])
        self.register_outputs({})


def _values(spec: CertManagerSpec, namespace: str) -> dict[str, Any]:
    # The chart waits at its end until the webhook answers: what comes after may make certificates at once.
    return {
        "crds": {"enabled": True, "keep": False},
        # By default in kube-system, which is nobody's but Kubernetes'.
        "global": {"leaderElection": {"namespace": namespace}},
        **_part(spec, "controller", "512Mi"),
        "webhook": _part(spec, "webhook", "128Mi"),
        "cainjector": _part(spec, "cainjector", "512Mi"),
        "startupapicheck": {
            "affinity": affinity(_labels("startupapicheck")),
            "resources": resources("10m", "32Mi", "128Mi"),
        },
    }


def _part(spec: CertManagerSpec, component: str, memory_limit: str) -> dict[str, Any]:
    return {
        "replicaCount": spec.replicas,
        "podDisruptionBudget": {"enabled": spec.replicas > 1, "maxUnavailable": 1},
        "resources": resources("20m", "64Mi", memory_limit),
        "affinity": affinity(_labels(component)),
    }


def _labels(component: str) -> dict[str, str]:
    return {"app.kubernetes.io/instance": "cert-manager", "app.kubernetes.io/component": component}
