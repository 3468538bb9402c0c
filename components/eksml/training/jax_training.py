"""Training with JAX by the Kubeflow training operator: one process for each node, which has all of its GPUs."""

from __future__ import annotations

from typing import ClassVar

from eksml.training.job import JobSpec
from eksml.training.training_job import JobObject, TrainingJob, replicas, restarts, run_policy


class JaxTrainingSpec(JobSpec):
    """A JAXJob."""

    _framework: ClassVar[str] = "jax"

    @property
    def processes_per_node(self) -> int:
        """One: JAX drives all GPUs of a node from one process."""
        return 1


class JaxTraining(TrainingJob[JaxTrainingSpec]):
    """A JAXJob: the training operator sets COORDINATOR_ADDRESS, NUM_PROCESSES and PROCESS_ID."""

    def job(self, spec: JaxTrainingSpec) -> JobObject:
        """The JAXJob."""
        pods = self.pods("jax", ["python", spec.script, *spec.arguments])
        workers = {"Worker": replicas(spec.nodes, pods)}
        policy = run_policy(spec, limit=restarts(spec, spec.nodes))
        return JobObject("kubeflow.org/v1", "JAXJob", {"runPolicy": policy, "jaxReplicaSpecs": workers})
