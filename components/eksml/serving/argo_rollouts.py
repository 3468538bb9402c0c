"""Argo Rollouts: Rollout and AnalysisTemplate, by which a new version of a server takes over step by step."""

from __future__ import annotations

from typing import Any

import pulumi

from eksml.catalog import charts
from eksml.component import Component
from eksml.controllers import affinity, operator_namespace, resources
from eksml.spec import PositiveCount, Spec

_LABELS = {"app.kubernetes.io/name": "argo-rollouts", "app.kubernetes.io/component": "rollouts-controller"}


class ArgoRolloutsSpec(Spec):
    """Argo Rollouts' controller."""

    replicas: PositiveCount = 1
    """Controller pods: one works, another takes over when it goes."""


class ArgoRollouts(Component):
    """Argo Rollouts' chart, its definitions with it, for all namespaces. It has no dashboard.

    Arguments:
        spec: how it runs.
        image_registry: a registry that image and chart come from, instead of their own.
    """

    def __init__(
        self,
        name: str,
        spec: ArgoRolloutsSpec,
        *,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:serving:ArgoRollouts", name, spec, opts, image_registry=image_registry)
        namespace = operator_namespace(self, charts()["argo-rollouts"].namespace)
        self.helm_release("argo-rollouts", _values(spec), depends_on=[namespace])
        self.register_outputs({})


def _values(spec: ArgoRolloutsSpec) -> dict[str, Any]:
    return {
        # They are templates of the chart, so an upgrade changes them; without this they would outlive the controller.
        "keepCRDs": False,
        "controller": {
            "replicas": spec.replicas,
            "resources": resources("100m", "128Mi", "512Mi"),
            "affinity": affinity(_LABELS),
            "pdb": {"enabled": spec.replicas > 1, "maxUnavailable": 1},
            "metrics": {"enabled": True},
        },
        # No Rollout of ours changes a router of traffic, so the controller needs no rights to any.
        "providerRBAC": {"enabled": False},
        "dashboard": {"enabled": False},
        "notifications": {"configmap": {"create": False}},
    }
