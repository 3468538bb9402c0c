"""Training with Ray by KubeRay: Ray Train, Ray Tune and Ray Data, as a job or on a cluster that stays."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import Field

from eksml.errors import Problem
from eksml.ray_cluster import RAY_API_VERSION, GcsRedis, fault_tolerance, ray_version
from eksml.spec import Flag
from eksml.training.code import directory_of
from eksml.training.job import JobSpec
from eksml.training.training_job import JobObject, TrainingJob


class RayTrainingSpec(JobSpec):
    """A RayJob: a head without GPUs, and a worker for each node."""

    _framework: ClassVar[str] = "ray"

    submit: Flag = True
    """Whether the script is run and the cluster goes with it; otherwise a cluster stays and waits for jobs."""
    max_nodes: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = None
    """The most workers that Ray's autoscaler adds while tasks wait; none given: there are as many as nodes."""
    gcs_redis: GcsRedis | None = None
    """A Redis for the head's state; none given: the cluster is lost with its head, and the job begins again."""

    def rules(self) -> Iterator[Problem]:
        """A queue admits what it can count."""
        yield from super().rules()
        if not self.submit:
            yield from self.without_effect("submit: false", "arguments", "retries", "time_limit_hours")
        if self.max_nodes is None:
            return
        if self.queue is not None:
            text = "given, but a queue cannot admit what grows: leave it out, or set queue: null"
            yield Problem(("maxNodes",), text)
        if self.max_nodes <= self.nodes:
            yield Problem(("maxNodes",), f"{self.max_nodes} given, must be more than nodes, {self.nodes}")


class RayTraining(TrainingJob[RayTrainingSpec]):
    """A RayJob that runs the script on the head and its tasks on the workers, or a RayCluster that waits for jobs."""

    def job(self, spec: RayTrainingSpec) -> JobObject:
        """The RayJob or RayCluster."""
        # Tasks import what lies beside the script.
        path = {"PYTHONPATH": directory_of(spec.code)}
        head = self.pods("ray-head", [], helper=True, variables=path)
        cluster = _cluster(spec, head=head, worker=self.pods("ray-worker", [], variables=path))
        if not spec.submit:
            return JobObject(RAY_API_VERSION, "RayCluster", cluster)
        return JobObject(RAY_API_VERSION, "RayJob", _job(spec, cluster))


def _job(spec: RayTrainingSpec, cluster: dict[str, Any]) -> dict[str, Any]:
    limit = {"activeDeadlineSeconds": spec.time_limit_hours * 3600} if spec.time_limit_hours else {}
    return {
        "entrypoint": shlex.join(["python", f"{directory_of(spec.code)}/{spec.script}", *spec.arguments]),
        # By the operator: a pod of its own for it would need a place in the queue too.
        "submissionMode": "HTTPMode",
        "shutdownAfterJobFinishes": True,
        "backoffLimit": spec.retries,
        **limit,
        "rayClusterSpec": cluster,
    }


def _cluster(spec: RayTrainingSpec, head: dict[str, Any], worker: dict[str, Any]) -> dict[str, Any]:
    if spec.max_nodes:
        # The autoscaler's rights are those of a service account that KubeRay makes.
        del head["spec"]["serviceAccountName"], head["spec"]["automountServiceAccountToken"]
    most = spec.max_nodes or spec.nodes
    group = {"groupName": "workers", "replicas": spec.nodes, "minReplicas": spec.nodes, "maxReplicas": most}
    return {
        **ray_version(spec.image_reference),
        **({"enableInTreeAutoscaling": True} if spec.max_nodes else {}),
        **fault_tolerance(spec.gcs_redis),
        # No task is to run on the head, which all others depend on.
        "headGroupSpec": {"rayStartParams": {"num-cpus": "0"}, "template": head},
        "workerGroupSpecs": [{**group, "rayStartParams": {}, "template": worker}],
    }
