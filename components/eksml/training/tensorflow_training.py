"""Training with TensorFlow by the Kubeflow training operator: MultiWorkerMirrored, or parameter servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import pulumi
from pydantic import Field

from eksml.errors import Problem
from eksml.spec import Flag
from eksml.training.job import JobSpec
from eksml.training.training_job import TrainingJob, replicas, run_policy

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


class TensorFlowTraining(TrainingJob):
    """A TFJob: the training operator tells each pod the addresses of all in TF_CONFIG.

    Arguments:
        spec: what the job is.
        bucket: name of the platform's model bucket, for volumes that name none.
        tracking_uri: address of the MLflow that the job reports to.
    """

    def __init__(
        self,
        name: str,
        spec: TensorFlowTrainingSpec,
        *,
        bucket: pulumi.Input[str] | None = None,
        tracking_uri: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__(
            "eksml:training:TensorFlowTraining", name, spec, bucket=bucket, tracking_uri=tracking_uri, opts=opts
        )
        command = ["python", spec.script, *spec.arguments]
        pods = self.pods(_CONTAINER, command)
        kinds: dict[str, Any] = {"Chief": replicas(1, pods)}
        if spec.nodes > 1:
            kinds["Worker"] = replicas(spec.nodes - 1, pods)
        if spec.parameter_servers:
            kinds["PS"] = replicas(spec.parameter_servers, self.pods(_CONTAINER, command, helper=True))
        if spec.evaluator:
            kinds["Evaluator"] = replicas(1, pods)
        self.run("kubeflow.org/v1", "TFJob", {"runPolicy": run_policy(spec), "tfReplicaSpecs": kinds})
        self.register_outputs({})
