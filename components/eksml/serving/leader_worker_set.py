"""LeaderWorkerSet: one server on several nodes, a leader and its workers, started and replaced together."""

from __future__ import annotations

from typing import Any

import pulumi

from eksml.catalog import charts, images
from eksml.component import Component
from eksml.controllers import affinity, disruption_budget, operator_namespace, resources
from eksml.spec import PositiveCount, Spec
from eksml.tenancy.kueue import Framework

_LABELS = {"app.kubernetes.io/name": "lws", "control-plane": "controller-manager"}


class LeaderWorkerSetOperatorSpec(Spec):
    """The operator of LeaderWorkerSets."""

    replicas: PositiveCount = 1
    """Controller pods: one works, another takes over when it goes."""

    @property
    def frameworks(self) -> tuple[Framework, ...]:
        """What Kueue calls the kind that it brings."""
        return ("leaderworkerset.x-k8s.io/leaderworkerset",)


class LeaderWorkerSetOperator(Component):
    """LeaderWorkerSet's chart, its definitions with it, for all namespaces.

    Arguments:
        spec: how it runs.
        image_registry: a registry that image and chart come from, instead of their own.
    """

    def __init__(
        self,
        name: str,
        spec: LeaderWorkerSetOperatorSpec,
        *,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:serving:LeaderWorkerSetOperator", name, spec, opts, image_registry=image_registry)
        namespace = charts()["lws"].namespace
        made = operator_namespace(self, namespace)
        operator = self.helm_release("lws", _values(spec), depends_on=[made])
        disruption_budget(self, spec.replicas, namespace, _LABELS, needs=[operator])
        self.register_outputs({})


def _values(spec: LeaderWorkerSetOperatorSpec) -> dict[str, Any]:
    image = images()["lws"]
    return {
        "replicaCount": spec.replicas,
        # The chart in git names the tag main, and pulls it each time.
        "image": {"manager": {"repository": image.repository, "tag": image.tag, "pullPolicy": "IfNotPresent"}},
        "resources": resources("100m", "256Mi", "1Gi"),
        "affinity": affinity(_LABELS),
        # Without it a namespace for restricted pods refuses them.
        "podSecurityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
    }
