"""What all components of training jobs share: the code's ConfigMap, the volumes' claims, the job itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import pulumi

from eksml import names
from eksml.storage.volumes import FileSystemVolume, S3Volume
from eksml.training.code import ConfigMapCode, config_map_name
from eksml.training.job import JobSpec
from eksml.training.pod import pod_template
from eksml.training.trackers import tracker_variables
from eksml.workload import SKIP_AWAIT, Workload

# Of plain Jobs the other one skips the wait for their deletion too, and a new one would meet the old one's name:
# https://github.com/pulumi/pulumi-kubernetes/issues/3154. This one is met as soon as the Job is there.
_ONLY_MADE = {"pulumi.com/waitFor": "jsonpath={.metadata.uid}"}


JobSpecType = TypeVar("JobSpecType", bound=JobSpec)


class JobObject(NamedTuple):
    """What Kubernetes or an operator runs."""

    api_version: str
    kind: str
    spec: dict[str, Any]


class TrainingJob(Workload, Generic[JobSpecType]):
    """The base of every training job: a namespace's code, volumes and one object that an operator or Kubernetes runs.

    It never makes `pulumi up` wait, and a change of the job replaces it: it goes on from its last checkpoint.

    Arguments:
        spec: what the job is.
        bucket: name of the platform's model bucket, for volumes that name none.
        region: AWS region of the buckets that it mounts; none given: the driver finds it out, if the network lets it.
        tracking_uri: address of MLflow, for a job with `trackers: [mlflow]`; none given: where a platform has it.
    """

    def __init__(
        self,
        name: str,
        spec: JobSpecType,
        *,
        bucket: pulumi.Input[str] | None = None,
        region: pulumi.Input[str] | None = None,
        tracking_uri: pulumi.Input[str | None] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__(f"eksml:training:{type(self).__name__}", name, spec, spec.namespace, names.JOB_LABEL, opts)
        self._spec = spec
        self._tracking = tracker_variables(name, spec, tracking_uri)
        if isinstance(spec.code, ConfigMapCode):
            self.add("v1", "ConfigMap", config_map_name(name, spec.code), {"data": spec.code.files})
        for role, volume in (("data", spec.data), ("checkpoints", spec.checkpoints)):
            if isinstance(volume, S3Volume):
                self.mount_bucket(
                    role,
                    volume.bucket or bucket,
                    volume.prefix or f"teams/{spec.namespace}/{name}/{role}/",
                    region=region,
                    user_id=spec.user_id,
                    read_only=role == "data",
                )
            elif isinstance(volume, FileSystemVolume):
                self.claim_directory(role, volume)
        self._run(self.job(spec))
        self.register_outputs({})

    def job(self, spec: JobSpecType) -> JobObject:
        """The object that is run."""
        raise NotImplementedError

    def pods(
        self,
        container: str,
        command: Sequence[str],
        *,
        helper: bool = False,
        variables: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The template of the job's pods, with environment variables of its kind."""
        own = {**self._tracking, **(variables or {})}
        return pod_template(self.resource_name, self._spec, container, command, own, helper=helper)

    def _run(self, job: JobObject) -> None:
        self.add(
            job.api_version,
            job.kind,
            self.resource_name,
            {"spec": job.spec},
            labels=names.queue_labels(self._spec.queue, self._spec.priority),
            annotations=_ONLY_MADE if job.kind == "Job" else SKIP_AWAIT,
            # What runs cannot be changed, and two of one name cannot be.
            replace_on_changes=["spec"],
            replace_with=list(self.made),
            delete_before_replace=True,
        )


def run_policy(spec: JobSpec, *, limit: int) -> dict[str, Any]:
    """How often and how long a job of the Kubeflow operators runs; its pods stay, for their logs."""
    policy: dict[str, Any] = {"backoffLimit": limit, "cleanPodPolicy": "Running"}
    return policy | ({"activeDeadlineSeconds": spec.time_limit_hours * 3600} if spec.time_limit_hours else {})


def restarts(spec: JobSpec, pods: int) -> int:
    """The limit of the training operator, which counts the restarts of all pods, and ends the job when it is reached.

    When one of its pods fails, the others do too. Source: PastBackoffLimit in pkg/core/job.go of
    https://github.com/kubeflow/trainer (release-1.9).
    """
    return spec.retries * pods + 1 if spec.retries else 0


def replicas(count: int, template: Mapping[str, Any]) -> dict[str, Any]:
    """One kind of replica of the Kubeflow operators."""
    return {"replicas": count, "restartPolicy": "OnFailure", "template": dict(template)}
