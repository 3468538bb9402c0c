"""Training with PyTorch by the Kubeflow training operator: DDP, FSDP, DeepSpeed or Accelerate, elastic if wanted."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field

from eksml.errors import Problem
from eksml.training.job import JobSpec
from eksml.training.training_job import JobObject, TrainingJob, replicas, restarts, run_policy

_CONTAINER = "pytorch"


class Launcher(StrEnum):
    """What starts the processes of a pod."""

    TORCHRUN = "torchrun"
    """PyTorch's own: for scripts with DDP, FSDP, and DeepSpeed's initialize()."""
    DEEPSPEED = "deepspeed"
    """DeepSpeed's own, for scripts that take its arguments."""
    ACCELERATE = "accelerate"
    """Hugging Face Accelerate's, for scripts with an Accelerator()."""


class PyTorchTrainingSpec(JobSpec):
    """A PyTorchJob."""

    _framework: ClassVar[str] = "pytorch"

    launcher: Launcher = Launcher.TORCHRUN
    """What starts the processes: torchrun, deepspeed or accelerate."""
    min_nodes: Annotated[int, Field(strict=True, ge=1)] | None = None
    """The least nodes that an elastic job goes on with while others are away; none given: all of them are needed."""

    def rules(self) -> Iterator[Problem]:
        """Only torchrun goes on with fewer nodes, and Accelerate's launcher joins up GPUs only."""
        yield from super().rules()
        if self.launcher is Launcher.ACCELERATE and self.nodes > 1 and not self.gpus_per_node:
            yield Problem(("launcher",), "accelerate given, which joins up nodes with GPUs only: take torchrun")
        if self.min_nodes is None:
            return
        if self.launcher is not Launcher.TORCHRUN:
            yield Problem(("minNodes",), f"given, but {self.launcher} cannot go on with fewer nodes: take torchrun")
        if self.min_nodes >= self.nodes:
            yield Problem(("minNodes",), f"{self.min_nodes} given, must be less than nodes, {self.nodes}")


class PyTorchTraining(TrainingJob[PyTorchTrainingSpec]):
    """A PyTorchJob: the training operator tells each pod its rank and the address of the first."""

    def job(self, spec: PyTorchTrainingSpec) -> JobObject:
        """The PyTorchJob."""
        pods = self.pods(_CONTAINER, _command(spec))
        policy = run_policy(spec, limit=restarts(spec, spec.nodes))
        return JobObject("kubeflow.org/v1", "PyTorchJob", {"runPolicy": policy, **_replica_specs(spec, pods)})


def _replica_specs(spec: PyTorchTrainingSpec, pods: dict[str, Any]) -> dict[str, Any]:
    if spec.min_nodes:
        elastic = {
            "minReplicas": spec.min_nodes,
            "maxReplicas": spec.nodes,
            "maxRestarts": spec.retries,
            "rdzvBackend": "c10d",
            "nProcPerNode": spec.processes_per_node,
        }
        return {"elasticPolicy": elastic, "pytorchReplicaSpecs": {"Worker": replicas(spec.nodes, pods)}}
    workers = {"Worker": replicas(spec.nodes - 1, pods)} if spec.nodes > 1 else {}
    return {
        "nprocPerNode": str(spec.processes_per_node),
        "pytorchReplicaSpecs": {"Master": replicas(1, pods), **workers},
    }


def _deepspeed(spec: PyTorchTrainingSpec, script: list[str]) -> list[str]:
    """What the command `deepspeed` starts on each node; that does not pass SIGTERM on, this does."""
    gpus = {f"node-{rank}": list(range(spec.processes_per_node)) for rank in range(spec.nodes)}
    return [
        *("python", "-m", "deepspeed.launcher.launch"),
        f"--world_info={base64.urlsafe_b64encode(json.dumps(gpus).encode()).decode()}",
        "--node_rank=$(PET_NODE_RANK)",
        "--master_addr=$(PET_MASTER_ADDR)",
        "--master_port=$(PET_MASTER_PORT)",
        *script,
    ]


def _command(spec: PyTorchTrainingSpec) -> list[str]:
    script = [spec.script, *spec.arguments]
    if spec.launcher is Launcher.TORCHRUN:
        # It reads what the operator sets: PET_NNODES, PET_NPROC_PER_NODE, PET_NODE_RANK, PET_MASTER_ADDR, PET_RDZV_*.
        return ["torchrun", *script]
    if spec.launcher is Launcher.DEEPSPEED:
        return _deepspeed(spec, script)
    processes = spec.nodes * spec.processes_per_node
    if processes == 1:
        # An Accelerator() needs nothing else then, and the launcher would not pass SIGTERM on.
        return ["python", *script]
    return [
        *("accelerate", "launch", "--multi_gpu"),
        f"--num_machines={spec.nodes}",
        f"--num_processes={processes}",
        "--machine_rank=$(PET_NODE_RANK)",
        "--main_process_ip=$(PET_MASTER_ADDR)",
        "--main_process_port=$(PET_MASTER_PORT)",
        *script,
    ]
