"""The operators of a platform that run training jobs."""

from __future__ import annotations

import pulumi

from eksml.component import Component
from eksml.spec import Spec
from eksml.tenancy.kueue import Framework
from eksml.training.kuberay import KubeRay, KubeRaySpec
from eksml.training.mpi_operator import MpiOperator, MpiOperatorSpec
from eksml.training.trainer import Trainer, TrainerSpec
from eksml.training.training_operator import TrainingOperator, TrainingOperatorSpec


class TrainingSpec(Spec):
    """The operators that run training jobs; each is there only if it is named. Plain Jobs need none."""

    training_operator: TrainingOperatorSpec | None = None
    """Kubeflow's training operator: PyTorchJob, TFJob, JAXJob, XGBoostJob, PaddleJob."""
    mpi_operator: MpiOperatorSpec | None = None
    """Kubeflow's MPI operator: MPIJob."""
    kube_ray: KubeRaySpec | None = None
    """KubeRay: RayCluster, RayJob, RayService."""
    trainer: TrainerSpec | None = None
    """Kubeflow Trainer v2, which is alpha: TrainJob."""

    @property
    def frameworks(self) -> tuple[Framework, ...]:
        """What Kueue calls the kinds of jobs that they bring."""
        operators = (self.training_operator, self.mpi_operator, self.kube_ray, self.trainer)
        return tuple(framework for each in operators if each for framework in each.frameworks)


class TrainingOperators(Component):
    """The operators of a platform.

    Arguments:
        spec: which operators there are.
        image_registry: a registry that images and charts come from, instead of their own.
    """

    def __init__(
        self,
        name: str,
        spec: TrainingSpec,
        *,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:training:TrainingOperators", name, spec, opts, image_registry=image_registry)
        if spec.training_operator:
            TrainingOperator(
                f"{name}-training-operator", spec.training_operator, image_registry=image_registry, opts=self.child()
            )
        if spec.mpi_operator:
            MpiOperator(f"{name}-mpi-operator", spec.mpi_operator, image_registry=image_registry, opts=self.child())
        if spec.kube_ray:
            KubeRay(f"{name}-kuberay", spec.kube_ray, image_registry=image_registry, opts=self.child())
        if spec.trainer:
            Trainer(f"{name}-trainer", spec.trainer, image_registry=image_registry, opts=self.child())
        self.register_outputs({})
