"""The PyTorch script trains in two processes that torchrun starts."""

import sys
from importlib import import_module
from pathlib import Path

import pytest

from workloads.data import cifar10
from workloads.scripts import (
    Ended,
    Script,
    check_evaluates,
    check_goes_on_after_a_kill,
    check_learns,
    check_makes_up_enough,
    check_reads,
    check_saves_when_interrupted,
    check_tells_of_its_model,
    check_torchscript,
    exported,
    module,
    script,
    torchscript,
)

pytestmark = pytest.mark.workload(module="torch", group="workload-pytorch")

STEPS = 20
SETTINGS = f"--steps {STEPS} --batch-size 8 --learning-rate 0.003 --report-every 1 --checkpoint-every 5".split()
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Script:
    folder = tmp_path_factory.mktemp("run")
    return script("pytorch", folder, *SETTINGS, launch=TORCHRUN)


@pytest.fixture(scope="module")
def whole(training: Script) -> Ended:
    return training.run()


def test_the_loss_falls(whole: Ended) -> None:
    check_learns(whole, STEPS)


def test_what_is_held_out_is_evaluated(whole: Ended) -> None:
    check_evaluates(whole)


def test_two_processes_find_what_one_would(training: Script, whole: Ended) -> None:
    torch = import_module("torch")

    torch.manual_seed(0)
    _, held_out = module("pytorch").make_data(None)
    images, labels = held_out[:]
    with torch.inference_mode():
        logits = torchscript(exported(training, whole, STEPS))(images)
    check_tells_of_its_model(whole, logits, labels)


def test_it_ends_with_a_model_that_is_served(training: Script, whole: Ended) -> None:
    check_torchscript(exported(training, whole, STEPS), 3, 32, 32)


def test_a_killed_run_goes_on_at_its_newest_checkpoint(training: Script, whole: Ended) -> None:
    check_goes_on_after_a_kill(training, whole, STEPS)


def test_an_interrupted_run_writes_a_checkpoint(training: Script) -> None:
    check_saves_when_interrupted(training)


def test_it_makes_up_enough_for_all_gpus() -> None:
    check_makes_up_enough("pytorch")


def test_it_reads_cifar10(tmp_path: Path) -> None:
    check_reads(
        script("pytorch", tmp_path, "--batch-size", "4", "--precision", "bf16", launch=TORCHRUN), cifar10(tmp_path)
    )
