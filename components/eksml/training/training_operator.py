"""Kubeflow's training operator: PyTorchJob, TFJob, JAXJob, XGBoostJob and PaddleJob."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from eksml.catalog import kustomizations
from eksml.component import Component
from eksml.controllers import affinity, disruption_budget, operator_namespace, resources
from eksml.image_registry import image_of
from eksml.kustomization import Kustomization, KustomizationSpec
from eksml.spec import PositiveCount, Spec
from eksml.tenancy.kueue import Framework

_OPERATOR = "training-operator"
# Not mpijob: its CRD, v1, has the name of the MPI operator's, v2beta1, and only one of them can be in a cluster.
_FRAMEWORKS: tuple[Framework, ...] = (
    "kubeflow.org/jaxjob",
    "kubeflow.org/paddlejob",
    "kubeflow.org/pytorchjob",
    "kubeflow.org/tfjob",
    "kubeflow.org/xgboostjob",
)


class TrainingOperatorSpec(Spec):
    """Kubeflow's training operator."""

    replicas: PositiveCount = 1
    """Controller pods: one works, another takes over when it goes, and all of them judge new jobs."""

    @property
    def frameworks(self) -> tuple[Framework, ...]:
        """What Kueue calls the kinds of jobs that it brings."""
        return _FRAMEWORKS


class TrainingOperator(Component):
    """The training operator at its pinned tag, for all namespaces, without MPIJob: that is the MPI operator's.

    Arguments:
        spec: how it runs.
        image_registry: a registry that images come from, instead of their own; the overlay itself still comes by git.
    """

    def __init__(
        self,
        name: str,
        spec: TrainingOperatorSpec,
        *,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:training:TrainingOperator", name, spec, opts, image_registry=image_registry)
        fact = kustomizations()[_OPERATOR]
        namespace, labels = str(fact.namespace), fact.workload(_OPERATOR).labels
        made = operator_namespace(self, namespace)
        binding = self._leases(namespace, made)
        overlay = KustomizationSpec.of_catalog(
            _OPERATOR, *_patches(spec, namespace, labels, image_registry), image_registry=image_registry
        )
        operator = Kustomization(name, overlay, opts=self.child(depends_on=[made, binding]))
        disruption_budget(self, spec.replicas, namespace, labels, needs=[operator])
        self.register_outputs({})

    def _leases(self, namespace: str, made: pulumi.Resource) -> k8s.rbac.v1.RoleBinding:
        """Lets the controllers choose one of them, which the overlay's own rights leave out."""
        name = f"{_OPERATOR}-leader-election"
        metadata = k8s.meta.v1.ObjectMetaArgs(name=name, namespace=namespace)
        rule = k8s.rbac.v1.PolicyRuleArgs(
            api_groups=["coordination.k8s.io"], resources=["leases"], verbs=["get", "create", "update"]
        )
        role = k8s.rbac.v1.Role(
            f"{self.resource_name}-leader-election",
            metadata=metadata,
            rules=[rule],
            opts=self.child(depends_on=[made]),
        )
        return k8s.rbac.v1.RoleBinding(
            f"{self.resource_name}-leader-election",
            metadata=metadata,
            role_ref={"api_group": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            subjects=[{"kind": "ServiceAccount", "name": _OPERATOR, "namespace": namespace}],
            opts=self.child(depends_on=[role]),
        )


def _patches(
    spec: TrainingOperatorSpec, namespace: str, labels: Mapping[str, str], image_registry: str | None
) -> tuple[Mapping[str, Any], ...]:
    return (
        # It is made beside the overlay, with labels.
        {"$patch": "delete", "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {
            "$patch": "delete",
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "mpijobs.kubeflow.org"},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": _OPERATOR, "namespace": namespace},
            "spec": {"replicas": spec.replicas, "template": {"spec": _pod(labels, image_registry)}},
        },
    )


def _pod(labels: Mapping[str, str], image_registry: str | None) -> dict[str, Any]:
    container = {
        "name": _OPERATOR,
        "args": [
            "--leader-elect",
            *(f"--enable-scheme={framework.rpartition('/')[2]}" for framework in _FRAMEWORKS),
            f"--pytorch-init-container-image={image_of('pytorch-init-container', image_registry)}",
        ],
        # It keeps all pods of all jobs in mind.
        "resources": resources("100m", "256Mi", "1Gi"),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            # Its image names no user. https://github.com/kubeflow/manifests runs it as this one.
            "runAsUser": 1000,
        },
    }
    return {
        "affinity": affinity(labels),
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
