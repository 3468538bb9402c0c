"""The vocabulary of training jobs: what cannot run is refused with what could."""

from typing import Any

import pytest

from eksml.training.hyperparameter_search import HyperparameterSearchSpec
from eksml.training.job import JobSpec
from eksml.training.mpi_training import MpiTrainingSpec
from eksml.training.native_training import NativeTrainingSpec
from eksml.training.pytorch_training import PyTorchTrainingSpec
from eksml.training.ray_training import RayTrainingSpec
from eksml.training.tensorflow_training import TensorFlowTrainingSpec
from eksml.training.trainer_training import TrainerTrainingSpec
from refusals import check_problems, problems

JOB: dict[str, Any] = {"namespace": "vision", "instanceType": "g6.12xlarge", "gpusPerNode": 4}
SEARCH = {"kind": "optuna", "storage": {"secret": "study", "key": "url"}, "study": "resnet"}


@pytest.mark.parametrize(
    ("spec", "settings", "beginnings"),
    [
        (PyTorchTrainingSpec, {"image": "pytorch/pytorch"}, ["image: 'pytorch/pytorch' given, must be pinned"]),
        (
            PyTorchTrainingSpec,
            {"image": "registry:5000/pytorch:latest"},
            ["image: 'registry:5000/py"],
        ),
        (PyTorchTrainingSpec, {"gpusPerNode": 8}, ["gpusPerNode: 8 given, g6.12xlarge has 4"]),
        (PyTorchTrainingSpec, {"instanceType": "m7i.large"}, ["gpusPerNode: 4 given, m7i.large has no GPU"]),
        (
            PyTorchTrainingSpec,
            {"instanceType": "g6.12xlage"},
            ["instanceType: 'g6.12xlage' is not in the catalog, did"],
        ),
        (PyTorchTrainingSpec, {"efa": True, "instanceType": "g6.xlarge", "gpusPerNode": 1}, ["efa: g6.xlarge has no"]),
        (PyTorchTrainingSpec, {"efa": True, "instanceType": "p5.48xlarge"}, ["gpusPerNode: 4 given, must be 8: EFA"]),
        (PyTorchTrainingSpec, {"launcher": "horovodrun"}, ["launcher: 'horovodrun' given, must be"]),
        (PyTorchTrainingSpec, {"nodes": 4, "minNodes": 4}, ["minNodes: 4 given, must be less than nodes, 4"]),
        (
            PyTorchTrainingSpec,
            {"nodes": 4, "minNodes": 2, "launcher": "accelerate"},
            ["minNodes: given, but accelerate cannot go on with fewer nodes: take torchrun"],
        ),
        (
            PyTorchTrainingSpec,
            {"environment": {"CHECKPOINT_DIR": "/mnt/efs"}},
            ["environment.CHECKPOINT_DIR: no volume serves /mnt/efs: give checkpoints, which is /checkpoints"],
        ),
        (
            PyTorchTrainingSpec,
            {"environment": {"DATA_DIR": "/datasets"}, "data": {"kind": "efs"}},
            ["environment.DATA_DIR: /datasets is on no volume: data is /data"],
        ),
        (PyTorchTrainingSpec, {"cpusPerNode": 500}, ["cpusPerNode: 500 given, pods can have 4"]),
        (PyTorchTrainingSpec, {"data": {"kind": "s3", "prefix": "/x"}}, ["data.prefix: '/x' given"]),
        (
            PyTorchTrainingSpec,
            {"code": {"kind": "git", "repository": "https://github.com/a/b", "revision": "main"}},
            ["code.revision: 'main' given"],
        ),
        (PyTorchTrainingSpec, {"code": {"kind": "configMap", "files": {}}}, ["code.files: "]),
        (
            PyTorchTrainingSpec,
            {"environment": {"A": "1"}, "secrets": {"A": {"secret": "s", "key": "k"}}},
            ["secrets.A: given in environment too"],
        ),
        (
            TensorFlowTrainingSpec,
            {"evaluator": True, "parameterServers": -1},
            ["checkpoints: missing: an evaluator reads them", "parameterServers: -1 given"],
        ),
        (MpiTrainingSpec, {}, ["image: missing: there is no image of MPI that all could use"]),
        (
            RayTrainingSpec,
            {"maxNodes": 4},
            ["image: rayproject/ray:2.58.0-py312 is for CPUs", "maxNodes: given, but a queue cannot admit what grows"],
        ),
        (NativeTrainingSpec, {"launcher": "python", "nodes": 2}, ["nodes: 2 given, but without torchrun"]),
        (
            NativeTrainingSpec,
            {"framework": "jax"},
            ["launcher: torchrun given, which is PyTorch's: for jax take python"],
        ),
        (TrainerTrainingSpec, {"runtime": "tensorflow"}, ["runtime: 'tensorflow' given, Trainer v2 has no TensorFlow"]),
        (HyperparameterSearchSpec, {"search": SEARCH, "trials": 1, "nodes": 2}, ["trials: 1 given, must be at least"]),
    ],
)
def test_what_cannot_run_is_refused_with_what_could(
    spec: type[JobSpec], settings: dict[str, Any], beginnings: list[str]
) -> None:
    check_problems(problems(spec, {**JOB, **settings}), beginnings)


def test_without_an_instance_type_the_resources_are_named() -> None:
    found = problems(PyTorchTrainingSpec, {"namespace": "vision"})
    check_problems(found, ["cpusPerNode: missing", "memoryGibPerNode: missing"])


def test_an_image_that_has_no_code_for_the_gpu_is_refused() -> None:
    found = problems(PyTorchTrainingSpec, {**JOB, "instanceType": "g5g.xlarge", "gpusPerNode": 1})
    check_problems(found, ["image: pytorch/pytorch:2.14.1-cuda13.0-cudnn9-runtime does not run on g5g.xlarge"])


def test_a_pod_gets_its_share_of_the_node_by_gpus() -> None:
    whole = PyTorchTrainingSpec(namespace="a", instance_type="g6.12xlarge", gpus_per_node=4)
    half = PyTorchTrainingSpec(namespace="a", instance_type="g6.12xlarge", gpus_per_node=2)
    assert (whole.cpus, half.cpus) == (43, 21)
    assert whole.memory_gib // 2 == half.memory_gib
