"""The scripts for Ray Train and Ray Tune run on a local Ray cluster."""

import shutil
import signal
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from workloads.data import cifar10, mnist
from workloads.scripts import (
    INTERRUPTED,
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
    end,
    exported,
    lose,
    lose_one,
    module,
    script,
    torchscript,
)

pytestmark = pytest.mark.workload(module="ray", group="workload-ray")

STEPS = 20
TRAIN = f"--steps {STEPS} --batch-size 8 --learning-rate 0.003 --report-every 1 --checkpoint-every 5".split()
TRIALS = 4
TUNE = f"--steps {TRIALS} --epochs 3 --at-once 1".split()


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Script:
    return script("ray-train-gpu", tmp_path_factory.mktemp("train"), *TRAIN)


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
    _, held_out = module("ray-train-gpu").make_data(None)
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


def test_a_worker_that_is_lost_is_started_again(training: Script) -> None:
    shutil.rmtree(training.checkpoints, ignore_errors=True)
    run = training.run(until=lambda line: "checkpoint" in line, then=lose_one("RayTrainWorker"))
    assert run.code == 0, run.errors[-5000:]
    assert run.values("resumedFrom")[0] in run.values("checkpoint")
    assert run.values("finished") == [STEPS]


def test_it_makes_up_enough_for_all_gpus() -> None:
    check_makes_up_enough("ray-train-gpu")


def test_it_reads_cifar10(tmp_path: Path) -> None:
    check_reads(script("ray-train-gpu", tmp_path, "--batch-size", "4", "--precision", "bf16"), cifar10(tmp_path))


@pytest.fixture
def search(tmp_path: Path) -> Script:
    return script("ray-tune", tmp_path, *TUNE)


def test_a_search_finds_settings_that_learn(search: Script) -> None:
    run = search.run()
    assert run.code == 0, run.errors[-5000:]
    assert sorted(run.losses) == list(range(1, TRIALS + 1))
    assert run.values("finished") == [TRIALS]
    assert run.values("best")[0]["loss"] < 1
    assert 0.5 < run.values("best")[0]["accuracy"] <= 1


@pytest.mark.parametrize(("then", "code"), [(lose, -signal.SIGKILL), (end, INTERRUPTED)])
def test_a_search_that_is_ended_goes_on(search: Script, then: Any, code: int) -> None:
    ended = search.run(until=lambda line: line.get("step") == 2, then=then)
    assert ended.code == code, ended.errors[-5000:]
    resumed = search.run()
    assert resumed.code == 0, resumed.errors[-5000:]
    assert resumed.values("resumedFrom")[0] in (1, 2, 3)
    assert resumed.values("finished") == [TRIALS]


def test_a_search_reads_mnist(tmp_path: Path) -> None:
    check_reads(script("ray-tune", tmp_path, "--batch-size", "8", "--epochs", "1"), mnist(tmp_path))
