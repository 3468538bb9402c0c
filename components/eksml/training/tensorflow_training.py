"""Training with TensorFlow by the Kubeflow training operator: MultiWorkerMirrored, or parameter servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import Field

from eksml.errors import Problem
from eksml.spec import Flag
from eksml.training.job import JobSpec
from eksml.training.training_job import JobObject, TrainingJob, replicas, restarts, run_policy

_CONTAINER = "tensorflow"


class TensorFlowTrainingSpec(JobSpec):
    """A TFJob. Its nodes are a chief and workers; the chief alone if there is one node."""

    _framework: ClassVar[str] = "tensorflow"

    parameter_servers: Annotated[int, Field(strict=True, ge=0, le=100)] = 0
    """Pods without GPUs that hold the variables, for ParameterServerStrategy; 0: the workers hold them."""
    evaluator: Flag = False
    """Whether one more pod evaluates checkpoints beside the training; it has as many GPUs as a worker."""

    def rules(self) -> Iterator[Problem]:
        """An evaluator reads what the chief has written."""
        yield from super().rules()
        if self.evaluator and self.checkpoints is None:
            yield Problem(("checkpoints",), "missing: an evaluator reads them")


class TensorFlowTraining(TrainingJob[TensorFlowTrainingSpec]):
    """A TFJob: the training operator tells each pod the addresses of all in TF_CONFIG."""

    def job(self, spec: TensorFlowTrainingSpec) -> JobObject:
        """The TFJob."""
        command = ["python", spec.script, *spec.arguments]
        pods = self.pods(_CONTAINER, command)
        kinds: dict[str, Any] = {"Chief": replicas(1, pods)}
        if spec.nodes > 1:
            kinds["Worker"] = replicas(spec.nodes - 1, pods)
        if spec.parameter_servers:
            kinds["PS"] = replicas(spec.parameter_servers, self.pods(_CONTAINER, command, helper=True))
        if spec.evaluator:
            kinds["Evaluator"] = replicas(1, pods)
        policy = run_policy(spec, limit=restarts(spec, sum(kind["replicas"] for kind in kinds.values())))
        return JobObject("kubeflow.org/v1", "TFJob", {"runPolicy": policy, "tfReplicaSpecs": kinds})
