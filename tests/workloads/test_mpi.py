"""The MPI script trains in two processes that Open MPI starts, as the component has it do."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from eksml.training.mpi_training import interruptible
from parts import need_program
from workloads.data import mnist
from workloads.scripts import (
    Ended,
    Script,
    check_evaluates,
    check_goes_on_after_a_kill,
    check_learns,
    check_reads,
    check_saves_when_interrupted,
    check_tells_of_its_model,
    module,
    script,
)

pytestmark = pytest.mark.workload(module="mpi4py", group="workload-mpi")

STEPS = 1000
SETTINGS = f"--steps {STEPS} --batch-size 64 --report-every 1 --checkpoint-every 100".split()


def launch() -> list[str]:
    mpirun = need_program("mpirun", "openmpi-bin")
    return interruptible([mpirun, "--allow-run-as-root", "--oversubscribe", "-n", "2", sys.executable])


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Script:
    folder = tmp_path_factory.mktemp("run")
    return script("mpi", folder, *SETTINGS, launch=launch())


@pytest.fixture(scope="module")
def whole(training: Script) -> Ended:
    return training.run()


def test_the_loss_falls(whole: Ended) -> None:
    check_learns(whole, STEPS)


def test_what_is_held_out_is_evaluated(whole: Ended) -> None:
    check_evaluates(whole)


def test_two_processes_find_what_one_would(training: Script, whole: Ended) -> None:
    train = module("mpi")
    with import_module("numpy").load(training.checkpoints / f"step-{STEPS:09}" / "state.npz") as file:
        parameters = train.parts(file["parameters"])
    _, (images, labels) = train.make_data(None, 0)
    _, log_probabilities = train.answers(parameters, images)
    check_tells_of_its_model(whole, log_probabilities, labels)


def test_a_killed_run_goes_on_at_its_newest_checkpoint(training: Script, whole: Ended) -> None:
    check_goes_on_after_a_kill(training, whole, STEPS)


def test_an_interrupted_run_writes_a_checkpoint(training: Script) -> None:
    check_saves_when_interrupted(training)


def test_it_reads_mnist(tmp_path: Path) -> None:
    check_reads(script("mpi", tmp_path, "--batch-size", "8", launch=launch()), mnist(tmp_path))


def test_the_bandwidth_of_an_all_reduce_is_measured(training: Script) -> None:
    command = [*launch(), "all_reduce_bandwidth.py", "--repetitions", "1"]
    printed = subprocess.run(command, cwd=training.folder, check=True, capture_output=True, text=True).stdout
    lines = [json.loads(line) for line in printed.splitlines()]
    assert [line["bytes"] for line in lines] == [4**exponent * 1024 for exponent in range(1, 9)]
    assert all(line["busGigabytesPerSecond"] > 0 for line in lines)
