"""Training with nothing but Kubernetes: an indexed Job, a headless Service, and torchrun."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from eksml import names
from eksml.errors import Problem
from eksml.training.job import AnyFrameworkSpec
from eksml.training.training_job import JobObject, TrainingJob
from eksml.workload import SKIP_AWAIT

_PORT = 29500
_SECONDS_TO_MEET = 1800


class NativeTrainingSpec(AnyFrameworkSpec):
    """An indexed Job whose pods are the nodes of torchrun."""

    launcher: Literal["torchrun", "python"] = "torchrun"
    """What starts the script: torchrun, or python for one that is a process by itself."""

    def rules(self) -> Iterator[Problem]:
        """Only torchrun lets pods find each other."""
        yield from super().rules()
        if self.launcher == "torchrun" and self.framework != "pytorch":
            yield Problem(("launcher",), f"torchrun given, which is PyTorch's: for {self.framework} take python")
        if self.launcher == "python" and self.nodes > 1:
            yield Problem(("nodes",), f"{self.nodes} given, but without torchrun pods do not find each other")


class NativeTraining(TrainingJob[NativeTrainingSpec]):
    """An indexed Job: the pod of index 0 is where the others meet, and each is made anew when it is lost."""

    def job(self, spec: NativeTrainingSpec) -> JobObject:
        """The indexed Job."""
        name = self.resource_name
        if spec.nodes > 1:
            self.add("v1", "Service", name, {"spec": _meeting_point(name)}, annotations=SKIP_AWAIT)
        template = self.pods("pytorch", _command(name, spec))
        template["spec"] |= {"restartPolicy": "Never", **({"subdomain": name} if spec.nodes > 1 else {})}
        return JobObject("batch/v1", "Job", _job(spec, template))


def _meeting_point(name: str) -> dict[str, Any]:
    return {
        "clusterIP": "None",
        "selector": {names.JOB_LABEL: name},
        "ports": [{"name": "rendezvous", "port": _PORT}],
        # The pods look for each other before they are ready.
        "publishNotReadyAddresses": True,
    }


def _command(name: str, spec: NativeTrainingSpec) -> list[str]:
    if spec.launcher == "python":
        return ["python", spec.script, *spec.arguments]
    nodes = ["--nnodes=1", "--standalone"]
    if spec.nodes > 1:
        # By c10d, so that those that are left wait for a lost one and all begin again from the last checkpoint.
        # The first pod knows itself by its whole name only. The others wait for it: a node may take minutes to come.
        first = f"{name}-0.{name}.{spec.namespace}.svc.cluster.local:{_PORT}"
        patience = f"--rdzv-conf=read_timeout={_SECONDS_TO_MEET},join_timeout={_SECONDS_TO_MEET}"
        meeting = ["--rdzv-backend=c10d", f"--rdzv-endpoint={first}", f"--rdzv-id={name}", patience]
        nodes = [f"--nnodes={spec.nodes}", f"--max-restarts={spec.retries}", *meeting]
    return ["torchrun", *nodes, f"--nproc-per-node={spec.processes_per_node}", spec.script, *spec.arguments]


def _job(spec: NativeTrainingSpec, template: dict[str, Any]) -> dict[str, Any]:
    limit = {"activeDeadlineSeconds": spec.time_limit_hours * 3600} if spec.time_limit_hours else {}
    return {
        "completionMode": "Indexed",
        "completions": spec.nodes,
        "parallelism": spec.nodes,
        "backoffLimit": spec.retries * spec.nodes,
        # A node that goes away is no failure of the job.
        "podFailurePolicy": {
            "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
        },
        **limit,
        "template": template,
    }
