"""The operators of a platform together."""

from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import pytest

from eksml.plan import Plan
from eksml.training.kuberay import KubeRaySpec
from eksml.training.mpi_operator import MpiOperatorSpec
from eksml.training.operators import TrainingOperators, TrainingSpec
from eksml.training.trainer import TrainerSpec
from eksml.training.training_operator import TrainingOperatorSpec
from programs import recorded

pytestmark = pytest.mark.slow

ALL = TrainingSpec(
    training_operator=TrainingOperatorSpec(),
    mpi_operator=MpiOperatorSpec(),
    kube_ray=KubeRaySpec(),
    trainer=TrainerSpec(),
)


def operators(spec: TrainingSpec, **arguments: Any) -> Plan:
    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        TrainingOperators("lab", spec, opts=pulumi.ResourceOptions(providers=[provider]), **arguments)

    return recorded(program)


def made(spec: TrainingSpec) -> set[str]:
    return {
        each.type.rpartition(":")[2] for each in operators(spec).resources if each.type.startswith("eksml:training")
    }


def test_each_operator_is_there_only_if_it_is_named() -> None:
    assert made(TrainingSpec()) == {"TrainingOperators"}
    assert made(TrainingSpec(mpi_operator=MpiOperatorSpec())) == {"TrainingOperators", "MpiOperator"}
    assert made(ALL) == {"TrainingOperators", "TrainingOperator", "MpiOperator", "KubeRay", "Trainer"}


def test_no_two_of_them_bring_the_same_kind_of_job() -> None:
    assert len(ALL.frameworks) == len(set(ALL.frameworks)) == 11


def test_all_of_them_take_images_from_a_registry_of_ones_own() -> None:
    plan = operators(ALL, image_registry="registry.example.com")
    for release in plan.of_type("kubernetes:helm.sh/v3:Release"):
        assert release.inputs["chart"].startswith("oci://registry.example.com/")
    for overlay in plan.of_type("kubernetes:kustomize/v2:Directory"):
        assert all(image.startswith("registry.example.com/") for image in overlay.inputs["images"].values())
