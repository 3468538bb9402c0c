"""Training with JAX by the Kubeflow training operator: one process for each node, which has all of its GPUs."""

from __future__ import annotations

from typing import ClassVar

import pulumi

from eksml.training.job import JobSpec
from eksml.training.training_job import TrainingJob, replicas, run_policy


class JaxTrainingSpec(JobSpec):
    """A JAXJob."""

    _framework: ClassVar[str] = "jax"

    @property
    def processes_per_node(self) -> int:
        """One: JAX drives all GPUs of a node from one process."""
        return 1


class JaxTraining(TrainingJob):
    """A JAXJob: the training operator sets COORDINATOR_ADDRESS, NUM_PROCESSES and PROCESS_ID.

    Arguments:
        spec: what the job is.
        bucket: name of the platform's model bucket, for volumes that name none.
        tracking_uri: address of the MLflow that the job reports to.
    """

    def __init__(
        self,
        name: str,
        spec: JaxTrainingSpec,
        *,
        bucket: pulumi.Input[str] | None = None,
        tracking_uri: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:training:JaxTraining", name, spec, bucket=bucket, tracking_uri=tracking_uri, opts=opts)
        pods = self.pods("jax", ["python", spec.script, *spec.arguments])
        workers = {"Worker": replicas(spec.nodes, pods)}
        self.run("kubeflow.org/v1", "JAXJob", {"runPolicy": run_policy(spec), "jaxReplicaSpecs": workers})
        self.register_outputs({})
