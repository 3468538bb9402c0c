"""KubeRay: RayCluster, RayJob and RayService."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pulumi

from eksml.catalog import charts
from eksml.component import Component
from eksml.controllers import affinity, disruption_budget, operator_namespace, resources
from eksml.errors import Problem, repetitions
from eksml.kustomization import Kustomization, KustomizationSpec
from eksml.spec import Namespace, PositiveCount, Spec
from eksml.tenancy.kueue import Framework

_LABELS = {"app.kubernetes.io/name": "kuberay-operator"}


class KubeRaySpec(Spec):
    """KubeRay's operator."""

    replicas: PositiveCount = 1
    """Controller pods: one works, another takes over when it goes."""
    watch_namespaces: tuple[Namespace, ...] = ()
    """Namespaces, such as those of teams, whose Ray clusters it runs; by default all."""

    def rules(self) -> Iterator[Problem]:
        """A namespace stands once."""
        yield from repetitions(("watchNamespaces",), self.watch_namespaces)

    @property
    def frameworks(self) -> tuple[Framework, ...]:
        """What Kueue calls the kinds of jobs that it brings."""
        return ("ray.io/raycluster", "ray.io/rayjob", "ray.io/rayservice")


class KubeRay(Component):
    """KubeRay's CustomResourceDefinitions, and after them its operator; that all pods of a job start is Kueue's task.

    Arguments:
        spec: how it runs.
        image_registry: a registry that image and chart come from, instead of their own; the definitions come by git.
    """

    def __init__(
        self,
        name: str,
        spec: KubeRaySpec,
        *,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:training:KubeRay", name, spec, opts, image_registry=image_registry)
        namespace = charts()["kuberay-operator"].namespace
        made = operator_namespace(self, namespace)
        # Helm installs the CRDs in a chart once, and never changes them.
        crds = Kustomization(f"{name}-crds", KustomizationSpec.of_catalog("kuberay-crds"), opts=self.child())
        operator = self.helm_release("kuberay-operator", _values(spec), skip_crds=True, depends_on=[made, crds])
        disruption_budget(self, spec.replicas, namespace, _LABELS, needs=[operator])
        self.register_outputs({})


def _values(spec: KubeRaySpec) -> dict[str, Any]:
    return {
        "replicas": spec.replicas,
        "leaderElectionEnabled": True,
        # The chart's own limit of a tenth of a core makes it miss its lease. About 1 MiB for each pod of Ray.
        "resources": resources("100m", "512Mi", "1Gi"),
        "affinity": affinity(_LABELS),
        **({"watchNamespace": list(spec.watch_namespaces)} if spec.watch_namespaces else {}),
    }
