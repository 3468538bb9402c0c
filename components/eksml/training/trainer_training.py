"""Training by Kubeflow Trainer v2: a TrainJob on one of the runtimes that its chart installs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from eksml.errors import Problem
from eksml.training.code import GitCode, directory_of
from eksml.training.job import JobSpec
from eksml.training.training_job import JobObject, TrainingJob

_CONTAINER = "node"
_UNKNOWN = ("retries", "helpers")


def _runtime(given: Any) -> Any:
    if given == "tensorflow":
        raise ValueError("Trainer v2 has no TensorFlow: take TensorFlowTraining")
    return given


class TrainerTrainingSpec(JobSpec):
    """A TrainJob. Trainer v2 is alpha; it does not start a failed job again, its runtime does that for pods."""

    runtime: Annotated[Literal["torch", "jax"], BeforeValidator(_runtime)] = "torch"
    """The runtime that it is based on: torch or jax."""

    @property
    def framework_name(self) -> str:
        """The framework's name in the catalog."""
        return "pytorch" if self.runtime == "torch" else "jax"

    def rules(self) -> Iterator[Problem]:
        """What a TrainJob may change of its runtime."""
        yield from super().rules()
        if isinstance(self.code, GitCode):
            yield Problem(("code", "kind"), "git given, but a TrainJob cannot fetch it: take configMap or image")
        yield from self.without_effect("Trainer v2, which starts no failed job again, and has no other pods", *_UNKNOWN)


class TrainerTraining(TrainingJob[TrainerTrainingSpec]):
    """A TrainJob: Trainer v2 tells each pod its rank and the address of the first."""

    def job(self, spec: TrainerTrainingSpec) -> JobObject:
        """The TrainJob."""
        launcher = "torchrun" if spec.runtime == "torch" else "python"
        template = self.pods(_CONTAINER, [launcher, f"{directory_of(spec.code)}/{spec.script}", *spec.arguments])
        return JobObject("trainer.kubeflow.org/v1alpha1", "TrainJob", _job(spec, template))


def _job(spec: TrainerTrainingSpec, template: dict[str, Any]) -> dict[str, Any]:
    limit = {"activeDeadlineSeconds": spec.time_limit_hours * 3600} if spec.time_limit_hours else {}
    (container,) = template["spec"]["containers"]
    processes = {"numProcPerNode": spec.processes_per_node} if spec.runtime == "torch" else {}
    return {
        "runtimeRef": {"name": f"{spec.runtime}-distributed"},
        **limit,
        "trainer": {
            "image": container["image"],
            "command": container["command"],
            "env": container["env"],
            "numNodes": spec.nodes,
            **processes,
            "resourcesPerNode": container["resources"],
        },
        "runtimePatches": [_patch(template)],
    }


def _patch(template: dict[str, Any]) -> dict[str, Any]:
    """What a TrainJob may say of the pods beside its trainer, in the form of a patch of its runtime."""
    own = ("serviceAccountName", "securityContext", "nodeSelector", "tolerations", "affinity", "volumes")
    (container,) = template["spec"]["containers"]
    patched = {key: container[key] for key in ("name", "securityContext", "volumeMounts")}
    pod = {key: template["spec"][key] for key in own if key in template["spec"]} | {"containers": [patched]}
    replicated = {"name": _CONTAINER, "template": {"spec": {"template": {**template, "spec": pod}}}}
    return {
        "manager": "eksml.dev/training",
        "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": [replicated]}}},
    }
