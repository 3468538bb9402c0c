"""One small job of every kind, recorded."""

from typing import Any, NamedTuple

import pulumi
import pulumi_kubernetes as k8s

from eksml.plan import Plan, Resource
from eksml.secret_key import SecretKey
from eksml.training.code import ConfigMapCode
from eksml.training.hyperparameter_search import HyperparameterSearch, HyperparameterSearchSpec, OptunaSearch
from eksml.training.jax_training import JaxTraining, JaxTrainingSpec
from eksml.training.job import JobSpec
from eksml.training.mpi_training import MpiTraining, MpiTrainingSpec
from eksml.training.native_training import NativeTraining, NativeTrainingSpec
from eksml.training.pytorch_training import PyTorchTraining, PyTorchTrainingSpec
from eksml.training.ray_training import RayTraining, RayTrainingSpec
from eksml.training.tensorflow_training import TensorFlowTraining, TensorFlowTrainingSpec
from eksml.training.trainer_training import TrainerTraining, TrainerTrainingSpec
from eksml.training.training_job import TrainingJob
from programs import recorded

JOB: dict[str, Any] = {
    "namespace": "vision",
    "code": ConfigMapCode(files={"train.py": "print('trained')\n"}),
    "nodes": 2,
    "gpus_per_node": 4,
    "instance_type": "g6.12xlarge",
    "pool": "train",
}


class Kind(NamedTuple):
    """A component of a job, its Spec, what it asks for beside the others, and the object that it makes."""

    component: type[TrainingJob]
    spec: type[JobSpec]
    own: dict[str, Any]
    made: str


RAY = "rayproject/ray-llm:2.58.0-py312-cu130"
_STUDY = {"search": OptunaSearch(storage=SecretKey(secret="study", key="url"), study="resnet")}  # noqa: S106
KINDS = {
    "pytorch": Kind(PyTorchTraining, PyTorchTrainingSpec, {}, "kubernetes:kubeflow.org/v1:PyTorchJob"),
    "tensorflow": Kind(TensorFlowTraining, TensorFlowTrainingSpec, {}, "kubernetes:kubeflow.org/v1:TFJob"),
    "jax": Kind(JaxTraining, JaxTrainingSpec, {}, "kubernetes:kubeflow.org/v1:JAXJob"),
    "mpi": Kind(MpiTraining, MpiTrainingSpec, {"image": "example.com/mpi:1"}, "kubernetes:kubeflow.org/v2beta1:MPIJob"),
    "ray": Kind(RayTraining, RayTrainingSpec, {"image": RAY}, "kubernetes:ray.io/v1:RayJob"),
    "native": Kind(NativeTraining, NativeTrainingSpec, {}, "kubernetes:batch/v1:Job"),
    "trainer": Kind(TrainerTraining, TrainerTrainingSpec, {}, "kubernetes:trainer.kubeflow.org/v1alpha1:TrainJob"),
    "search": Kind(HyperparameterSearch, HyperparameterSearchSpec, _STUDY, "kubernetes:batch/v1:Job"),
}


def job(kind: str, *, bucket: str | None = None, tracking_uri: Any = None, **settings: Any) -> Plan:
    """The Plan of one job in a bare program."""
    component, spec_type, own, _ = KINDS[kind]
    spec = spec_type(**{**JOB, **own, **settings})

    def program() -> None:
        provider = k8s.Provider("cluster", kubeconfig="{}")
        opts = pulumi.ResourceOptions(providers=[provider])
        component("resnet", spec, bucket=bucket, tracking_uri=tracking_uri, opts=opts)

    return recorded(program)


def made(plan: Plan, kind: str) -> Resource:
    """The object that is run."""
    (found,) = plan.of_type(KINDS[kind].made)
    return found


def templates(value: Any) -> list[dict[str, Any]]:
    """Every template of a pod, at any depth."""
    if isinstance(value, list):
        return [found for item in value for found in templates(item)]
    if not isinstance(value, dict):
        return []
    if "containers" in (value.get("spec") or {}) and "metadata" in value:
        return [value]
    return [found for item in value.values() for found in templates(item)]


def containers(plan: Plan, kind: str) -> list[dict[str, Any]]:
    """The container of every pod of the job that trains."""
    spec = made(plan, kind).inputs["spec"]
    if kind == "trainer":
        (template,) = templates(spec)
        trainer = spec["trainer"] | {"resources": spec["trainer"]["resourcesPerNode"]}
        return [template["spec"]["containers"][0] | trainer]
    found = [template["spec"]["containers"][0] for template in templates(spec)]
    return [each for each in found if each["name"] not in ("launcher", "ray-head")]


def environment(plan: Plan, kind: str) -> dict[str, Any]:
    """The environment of the first of them."""
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in containers(plan, kind)[0]["env"]}
