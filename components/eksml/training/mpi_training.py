"""Training over MPI by the MPI operator: any image with MPI, NCCL tests and Horovod's among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

from eksml.errors import Problem
from eksml.training.job import JobSpec
from eksml.training.training_job import JobObject, TrainingJob, run_policy

# Where the operator's own images, and those that follow them, keep the configuration of the SSH server.
_HOME = "/home/mpiuser"
# Told to end by SIGTERM, Open MPI's mpirun reads nothing more, so that a process that prints is stuck, and kills all
# processes a second or two later. SIGUSR1 it passes on at once, and it waits for them.
_INTERRUPTIBLE = """\
trap 'kill -USR1 $!' TERM
"$@" &
wait $!
code=$?
while kill -0 $! 2> /dev/null; do
  wait $!
  code=$?
done
exit $code
"""


class MpiTrainingSpec(JobSpec):
    """An MPIJob of the version v2beta1. The image needs MPI and an SSH server that runs as its user."""

    _framework: ClassVar[str] = "mpi"

    implementation: Literal["openMpi", "intel", "mpich"] = "openMpi"
    """The MPI that the image has: openMpi, intel or mpich."""
    program: tuple[str, ...] = ()
    """What mpirun starts; none given: Python with the script and its arguments."""

    def rules(self) -> Iterator[Problem]:
        """An SSH server is no root's without the rights of root, and one program is started."""
        yield from super().rules()
        if self.user_id == 0:
            yield Problem(("userId",), "0 given, but no SSH server runs as root without root's rights")
        if self.program:
            yield from self.without_effect("program", "script", "arguments")


class MpiTraining(TrainingJob[MpiTrainingSpec]):
    """An MPIJob: a launcher without GPUs runs mpirun, which reaches the workers by SSH, with the operator's keys."""

    def job(self, spec: MpiTrainingSpec) -> JobObject:
        """The MPIJob."""
        program = list(spec.program) or ["python", spec.script, *spec.arguments]
        processes = spec.nodes * spec.processes_per_node
        worker = self.pods("worker", ["/usr/sbin/sshd", "-De", "-f", f"{_HOME}/.sshd_config"])
        mpirun = ["mpirun", "-n", str(processes), *_options(spec, worker)]
        command = [*mpirun, *program]
        open_mpi = spec.implementation == "openMpi"
        launcher = self.pods("launcher", interruptible(command) if open_mpi else command, helper=True)
        job = {
            "slotsPerWorker": spec.processes_per_node,
            "mpiImplementation": {"openMpi": "OpenMPI", "intel": "Intel", "mpich": "MPICH"}[spec.implementation],
            "sshAuthMountPath": f"{_HOME}/.ssh",
            # Otherwise mpirun would try for names that DNS does not know yet.
            "launcherCreationPolicy": "WaitForWorkersReady",
            "runPolicy": run_policy(spec, limit=spec.retries),
            "mpiReplicaSpecs": {
                "Launcher": {"replicas": 1, "restartPolicy": "OnFailure", "template": launcher},
                "Worker": {"replicas": spec.nodes, "restartPolicy": "OnFailure", "template": worker},
            },
        }
        return JobObject("kubeflow.org/v2beta1", "MPIJob", job)


def interruptible(command: Sequence[str]) -> list[str]:
    """Open MPI's mpirun so that its processes get SIGUSR1, and time for a checkpoint, when its pod is ended."""
    return ["sh", "-c", _INTERRUPTIBLE, "sh", *command]


def _options(spec: MpiTrainingSpec, worker: dict[str, Any]) -> list[str]:
    """Open MPI starts processes with the environment of the SSH server, which is not that of the container."""
    if spec.implementation != "openMpi":
        return []
    told = [each["name"] for each in worker["spec"]["containers"][0]["env"] if each["name"] != "HOME"]
    # The image's own two say where its programs and libraries are.
    return [word for variable in ("PATH", "LD_LIBRARY_PATH", *told) for word in ("-x", variable)]
