"""Kubeflow's MPI operator: MPIJob v2beta1, for NCCL tests and every image with MPI in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from eksml.catalog import kustomizations
from eksml.component import Component
from eksml.controllers import affinity, disruption_budget, operator_namespace, resources
from eksml.kustomization import Kustomization, KustomizationSpec
from eksml.spec import PositiveCount, Spec
from eksml.tenancy.kueue import Framework

_OPERATOR = "mpi-operator"
_HEALTH_PORT = 8080
_METRICS_PORT = 8081


class MpiOperatorSpec(Spec):
    """Kubeflow's MPI operator."""

    replicas: PositiveCount = 1
    """Controller pods: one works, another takes over when it goes."""

    @property
    def frameworks(self) -> tuple[Framework, ...]:
        """What Kueue calls the kinds of jobs that it brings."""
        return ("kubeflow.org/mpijob",)


class MpiOperator(Component):
    """The MPI operator at its pinned tag, for all namespaces.

    Arguments:
        spec: how it runs.
        image_registry: a registry that images come from, instead of their own; the overlay itself still comes by git.
    """

    def __init__(
        self,
        name: str,
        spec: MpiOperatorSpec,
        *,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:training:MpiOperator", name, spec, opts, image_registry=image_registry)
        fact = kustomizations()[_OPERATOR]
        namespace, labels = str(fact.namespace), fact.workload(_OPERATOR).labels
        made = operator_namespace(self, namespace)
        overlay = KustomizationSpec.of_catalog(
            _OPERATOR, *_patches(spec, namespace, labels), image_registry=image_registry
        )
        operator = Kustomization(name, overlay, opts=self.child(depends_on=[made]))
        disruption_budget(self, spec.replicas, namespace, labels, needs=[operator])
        self.register_outputs({})


def _patches(spec: MpiOperatorSpec, namespace: str, labels: Mapping[str, str]) -> tuple[Mapping[str, Any], ...]:
    return (
        # It is made beside the overlay, with labels.
        {"$patch": "delete", "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": _OPERATOR, "namespace": namespace},
            "spec": {"replicas": spec.replicas, "template": {"spec": _pod(namespace, labels)}},
        },
    )


def _pod(namespace: str, labels: Mapping[str, str]) -> dict[str, Any]:
    probe = {"httpGet": {"path": "/healthz", "port": _HEALTH_PORT}}
    container = {
        "name": _OPERATOR,
        # A list replaces the overlay's, so its own arguments stand here too.
        "args": ["-alsologtostderr", f"--lock-namespace={namespace}", f"--monitoring-port={_METRICS_PORT}"],
        "ports": [{"name": "metrics", "containerPort": _METRICS_PORT}],
        "livenessProbe": probe,
        "readinessProbe": probe,
        "imagePullPolicy": "IfNotPresent",
        "resources": resources("100m", "128Mi", "512Mi"),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "runAsUser": 65532,
        },
    }
    return {
        "affinity": affinity(labels),
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
