"""Kubeflow Trainer v2: TrainJob, on runtimes that say how a framework starts. It is alpha, and has no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from eksml.catalog import charts
from eksml.component import Component
from eksml.controllers import affinity, disruption_budget, operator_namespace, resources
from eksml.image_registry import image_of
from eksml.spec import Flag, PositiveCount, Spec
from eksml.tenancy.kueue import Framework

_LABELS = {"app.kubernetes.io/name": "kubeflow-trainer", "app.kubernetes.io/component": "manager"}
_JOB_SET_LABELS = {"app.kubernetes.io/name": "jobset"}


class TrainerSpec(Spec):
    """Kubeflow Trainer v2 and its runtimes."""

    replicas: PositiveCount = 1
    """Controller pods, of JobSet's too: one works, another takes over when it goes."""
    install_job_set: Flag = True
    """Whether to install JobSet, which it builds on; false in a cluster that has it already."""

    @property
    def frameworks(self) -> tuple[Framework, ...]:
        """What Kueue calls the kinds of jobs that it brings."""
        job_set: tuple[Framework, ...] = ("jobset.x-k8s.io/jobset",) if self.install_job_set else ()
        return (*job_set, "trainer.kubeflow.org/trainjob")


class Trainer(Component):
    """Kubeflow Trainer, JobSet unless it is there already, and runtimes.

    The runtimes are torch-distributed, deepspeed-distributed, jax-distributed and mpi-distributed; a TrainJob names
    one, and an image and command of its own if it likes.

    Arguments:
        spec: how it runs.
        image_registry: a registry that images and charts come from, instead of their own.
    """

    def __init__(
        self,
        name: str,
        spec: TrainerSpec,
        *,
        image_registry: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("eksml:training:Trainer", name, spec, opts, image_registry=image_registry)
        namespace = charts()["kubeflow-trainer"].namespace
        needs: list[pulumi.Resource] = [operator_namespace(self, namespace)]
        if spec.install_job_set:
            needs.append(self.helm_release("jobset", _job_set_values(spec), depends_on=list(needs)))
        trainer = self.helm_release("kubeflow-trainer", _values(spec), depends_on=needs)
        disruption_budget(self, spec.replicas, namespace, _LABELS, needs=[trainer])
        # Not the chart's own: a Job applies them with a kubectl that it fetches from the internet.
        for runtime, runtime_spec in _runtimes(image_registry).items():
            self._add_runtime(runtime, runtime_spec, trainer)
        self.register_outputs({})

    def _add_runtime(self, runtime: str, runtime_spec: dict[str, Any], trainer: pulumi.Resource) -> None:
        labels = {
            "trainer.kubeflow.org/framework": runtime.partition("-")[0],
            # As the chart has it for its own: the controller need not judge them.
            "trainer.kubeflow.org/webhook-validation": "disabled",
        }
        k8s.apiextensions.CustomResource(
            f"{self.resource_name}-{runtime}",
            api_version="trainer.kubeflow.org/v1alpha1",
            kind="ClusterTrainingRuntime",
            metadata={"name": runtime, "labels": labels},
            spec=runtime_spec,
            opts=self.child(depends_on=[trainer]),
        )


def _values(spec: TrainerSpec) -> dict[str, Any]:
    return {
        # There is one JobSet in a cluster: the release beside this one, or what was there before.
        "jobset": {"install": False},
        "manager": {
            "replicas": spec.replicas,
            "resources": resources("100m", "128Mi", "512Mi"),
            "affinity": affinity(_LABELS),
        },
    }


def _job_set_values(spec: TrainerSpec) -> dict[str, Any]:
    repository, _, tag = image_of("jobset", None).partition(":")
    return {
        "image": {"repository": repository, "tag": tag, "pullPolicy": "IfNotPresent"},
        "controller": {
            "replicas": spec.replicas,
            "resources": resources("100m", "128Mi", "1Gi"),
            "affinity": affinity(_JOB_SET_LABELS),
            "podDisruptionBudget": {"enabled": spec.replicas > 1},
        },
    }


def _runtimes(image_registry: str | None) -> dict[str, dict[str, Any]]:
    # https://github.com/kubeflow/trainer/tree/v2.3.0/manifests/base/runtimes
    images = {each: image_of(f"{each}-runtime", image_registry) for each in ("torch", "deepspeed", "jax", "mpi")}
    return {
        "torch-distributed": _runtime({"torch": {}}, [_node(images["torch"])]),
        "deepspeed-distributed": _mpi_runtime(images["deepspeed"]),
        "jax-distributed": _runtime({"jax": {}}, [_node(images["jax"])]),
        "mpi-distributed": _mpi_runtime(images["mpi"]),
    }


def _runtime(policy: Mapping[str, Any], jobs: list[dict[str, Any]], **job_set: Any) -> dict[str, Any]:
    return {
        "mlPolicy": {"numNodes": 1, **policy},
        "template": {"spec": {**job_set, "replicatedJobs": jobs}},
    }


def _mpi_runtime(image: str) -> dict[str, Any]:
    """The first node starts the others' processes by ssh, once all of them listen, and works too."""
    policy = {
        "numProcPerNode": 1,
        "mpiImplementation": "OpenMPI",
        "sshAuthMountPath": "/home/mpiuser/.ssh",
        "runLauncherAsNode": True,
    }
    user = {"securityContext": {"runAsUser": 1000, "runAsGroup": 1000}}
    listening = {
        **user,
        "command": ["/usr/sbin/sshd"],
        "args": ["-De", "-f", "/home/mpiuser/.sshd_config"],
        "readinessProbe": {"tcpSocket": {"port": 2222}, "initialDelaySeconds": 5},
    }
    group = {"securityContext": {"fsGroup": 1000}}
    launcher = _job("launcher", {**group, "containers": [{"name": "node", "image": image, **user}]}, is_trainer=True)
    return _runtime(
        {"mpi": policy},
        [
            _job("node", {**group, "containers": [{"name": "node", "image": image, **listening}]}),
            {**launcher, "dependsOn": [{"name": "node", "status": "Ready"}]},
        ],
        network={"publishNotReadyAddresses": True},
        successPolicy={"operator": "All", "targetReplicatedJobs": ["launcher"]},
    )


def _node(image: str) -> dict[str, Any]:
    return _job("node", {"containers": [{"name": "node", "image": image}]}, is_trainer=True)


def _job(name: str, pod: dict[str, Any], *, is_trainer: bool = False) -> dict[str, Any]:
    """One of the jobs of a JobSet; the trainer is the one that a TrainJob's own settings reach."""
    labels = {"metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}}} if is_trainer else {}
    return {"name": name, "template": {**labels, "spec": {"template": {"spec": pod}}}}
