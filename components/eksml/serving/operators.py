"""What a platform has beside the model servers, to run, scale and replace them."""

from __future__ import annotations

import pulumi

from eksml.component import Component
from eksml.serving.argo_rollouts import ArgoRollouts, ArgoRolloutsSpec
from eksml.serving.keda import Keda, KedaSpec
from eksml.serving.kserve import KServe, KServeSpec
from eksml.serving.leader_worker_set import LeaderWorkerSetOperator, LeaderWorkerSetOperatorSpec
from eksml.spec import Spec
from eksml.tenancy.kueue import Framework


class ServingSpec(Spec):
    """The operators that model servers need; each is there only if it is named. A plain server needs none."""

    argo_rollouts: ArgoRolloutsSpec | None = None
    """Argo Rollouts: new versions of a server by blue/green or canary, with analysis."""
    keda: KedaSpec | None = None
    """KEDA: ScaledObject; with its HTTP add-on InterceptorRoute."""
    kserve: KServeSpec | None = None
    """KServe: InferenceService; with cert-manager unless the cluster has it."""
    leader_worker_set: LeaderWorkerSetOperatorSpec | None = None
    """LeaderWorkerSet: one server over several nodes."""

    @property
    def frameworks(self) -> tuple[Framework, ...]:
        """What Kueue calls the kinds that they bring."""
        return self.leader_worker_set.frameworks if self.leader_worker_set else ()


class ServingOperators(Component):
    """The operators of a platform that model servers need.

    Arguments:
        spec: which operators there are.
        image_registry: a registry that images and charts come from, instead of their own.
    """

    def __init__(
        self,
        name: str,
        spec: ServingSpec,
        *,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:serving:ServingOperators", name, spec, opts, image_registry=image_registry)
        if spec.argo_rollouts:
            ArgoRollouts(f"{name}-argo-rollouts", spec.argo_rollouts, image_registry=image_registry, opts=self.child())
        if spec.keda:
            Keda(f"{name}-keda", spec.keda, image_registry=image_registry, opts=self.child())
        if spec.kserve:
            KServe(f"{name}-kserve", spec.kserve, image_registry=image_registry, opts=self.child())
        if spec.leader_worker_set:
            LeaderWorkerSetOperator(
                f"{name}-leader-worker-set", spec.leader_worker_set, image_registry=image_registry, opts=self.child()
            )
        self.register_outputs({})
