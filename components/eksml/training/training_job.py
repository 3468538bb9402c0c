"""What all components of training jobs share: the code's ConfigMap, the volumes' claims, the job itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import pulumi

from eksml import names
from eksml.component import Component
from eksml.errors import Problem, SpecError
from eksml.storage.volumes import FileSystemVolume, S3Volume, bucket_volume, claim_of_bucket, claim_of_directory
from eksml.training.code import ConfigMapCode, config_map_name
from eksml.training.job import JobSpec
from eksml.training.pod import pod_template

# Operators add up to 20 characters for each pod, and a pod's name is a label of at most 63.
_LONGEST_NAME = 40
SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}
# Of plain Jobs the other one skips the wait for their deletion too, and a new one would meet the old one's name:
# https://github.com/pulumi/pulumi-kubernetes/issues/3154. This one is met as soon as the Job is there.
_ONLY_MADE = {"pulumi.com/waitFor": "jsonpath={.metadata.uid}"}


JobSpecType = TypeVar("JobSpecType", bound=JobSpec)


class JobObject(NamedTuple):
    """What Kubernetes or an operator runs."""

    api_version: str
    kind: str
    spec: dict[str, Any]


class TrainingJob(Component, Generic[JobSpecType]):
    """The base of every training job: a namespace's code, volumes and one object that an operator or Kubernetes runs.

    It never makes `pulumi up` wait, and a change of the job replaces it: it goes on from its last checkpoint.

    Arguments:
        spec: what the job is.
        bucket: name of the platform's model bucket, for volumes that name none.
        region: AWS region of the buckets that it mounts; none given: the driver finds it out, if the network lets it.
        tracking_uri: address of the MLflow that the job reports to.
    """

    def __init__(
        self,
        name: str,
        spec: JobSpecType,
        *,
        bucket: pulumi.Input[str] | None = None,
        region: pulumi.Input[str] | None = None,
        tracking_uri: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        if not re.fullmatch(rf"[a-z]([a-z0-9-]{{0,{_LONGEST_NAME - 2}}}[a-z0-9])?", name):
            text = f"'{name}' given, must be at most {_LONGEST_NAME} lower-case letters, digits and hyphens"
            raise SpecError([Problem(("name",), text)])
        super().__init__(f"eksml:training:{type(self).__name__}", name, spec, opts)
        self._spec = spec
        self._run_time_environment = {"MLFLOW_TRACKING_URI": tracking_uri} if tracking_uri is not None else {}
        self._needs: list[pulumi.Resource] = []
        if isinstance(spec.code, ConfigMapCode):
            self.add("v1", "ConfigMap", config_map_name(name, spec.code), {"data": spec.code.files})
        for role, volume in (("data", spec.data), ("checkpoints", spec.checkpoints)):
            if isinstance(volume, S3Volume):
                self._mount_bucket(role, volume, volume.bucket or bucket, region)
            elif isinstance(volume, FileSystemVolume):
                self._claim(role, claim_of_directory(volume))
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
        own = {**self._run_time_environment, **(variables or {})}
        return pod_template(self.resource_name, self._spec, container, command, own, helper=helper)

    def add(
        self,
        api_version: str,
        kind: str,
        name: str,
        fields: Mapping[str, Any],
        *,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        **options: Any,
    ) -> pulumi.Resource:
        """Makes an object in the job's namespace, which is there before the job and as long as it."""
        metadata: dict[str, Any] = {
            "name": name,
            "namespace": self._spec.namespace,
            "labels": {names.JOB_LABEL: self.resource_name, **(labels or {})},
            **({"annotations": dict(annotations)} if annotations else {}),
        }
        made = pulumi.CustomResource(
            f"kubernetes:{'core/v1' if api_version == 'v1' else api_version}:{kind}",
            name,
            {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields},
            self.child(**{"depends_on": list(self._needs), **options}),
        )
        self._needs.append(made)
        return made

    def _run(self, job: JobObject) -> None:
        self.add(
            job.api_version,
            job.kind,
            self.resource_name,
            {"spec": job.spec},
            labels=_queue_labels(self._spec),
            annotations=_ONLY_MADE if job.kind == "Job" else SKIP_AWAIT,
            # What runs cannot be changed, and two of one name cannot be.
            replace_on_changes=["spec"],
            replace_with=list(self._needs),
            delete_before_replace=True,
        )

    def _mount_bucket(
        self, role: str, volume: S3Volume, bucket: pulumi.Input[str] | None, region: pulumi.Input[str] | None
    ) -> None:
        name, spec = f"{self.resource_name}-{role}", self._spec
        if bucket is None:
            text = "missing: the platform has no model bucket, give the name of one"
            raise SpecError([Problem((role, "bucket"), text)])
        prefix = volume.prefix or f"teams/{spec.namespace}/{self.resource_name}/{role}/"
        claim = (spec.namespace, name)
        fields = bucket_volume(bucket, region, prefix, spec.user_id, claim=claim, read_only=role == "data")
        volume_name = names.fitted(f"{spec.namespace}-{name}", 63)
        metadata = {"name": volume_name, "labels": {names.JOB_LABEL: self.resource_name}}
        made = pulumi.CustomResource(
            "kubernetes:core/v1:PersistentVolume",
            volume_name,
            {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": fields},
            self.child(delete_before_replace=True),
        )
        # A claim that is bound to a volume which is gone is lost.
        replaced = {"replace_with": [made], "delete_before_replace": True}
        self._claim(role, claim_of_bucket(volume_name), depends_on=[made], **replaced)

    def _claim(self, role: str, fields: Mapping[str, Any], **options: Any) -> None:
        # It is bound only once a pod uses it, which may wait in its queue for hours.
        name = f"{self.resource_name}-{role}"
        self.add("v1", "PersistentVolumeClaim", name, {"spec": dict(fields)}, annotations=SKIP_AWAIT, **options)


def _queue_labels(spec: JobSpec) -> dict[str, str]:
    if spec.queue is None:
        return {}
    return {names.QUEUE_LABEL: spec.queue, names.QUEUE_PRIORITY_LABEL: spec.priority}


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
