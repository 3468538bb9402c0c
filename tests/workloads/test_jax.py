"""The JAX script trains in two processes on loopback."""

import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from workloads.data import fashion_mnist
from workloads.scripts import (
    Ended,
    Script,
    check_evaluates,
    check_goes_on_after_a_kill,
    check_learns,
    check_reads,
    check_saves_when_interrupted,
    check_tells_of_its_model,
    exported,
    free_port,
    module,
    script,
)

pytestmark = pytest.mark.workload(module="jax", group="workload-jax")

STEPS = 30
SETTINGS = f"--steps {STEPS} --batch-size 32 --report-every 1 --checkpoint-every 10".split()


def two_processes() -> list[tuple[list[str], dict[str, str]]]:
    """As a JAXJob starts them."""
    shared = {"COORDINATOR_ADDRESS": "127.0.0.1", "COORDINATOR_PORT": str(free_port()), "NUM_PROCESSES": "2"}
    return [([sys.executable], {**shared, "PROCESS_ID": number}) for number in ("0", "1")]


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Script:
    return replace(script("jax", tmp_path_factory.mktemp("jax"), *SETTINGS), launch=two_processes)


@pytest.fixture(scope="module")
def whole(training: Script) -> Ended:
    return training.run()


def test_the_loss_falls(whole: Ended) -> None:
    check_learns(whole, STEPS)


def test_what_is_held_out_is_evaluated(whole: Ended) -> None:
    check_evaluates(whole)


def test_two_processes_find_what_one_would(training: Script, whole: Ended) -> None:
    numpy, train = import_module("numpy"), module("jax")

    with numpy.load(exported(training, whole, STEPS) / "state.npz") as file:
        names = ("conv1", "conv2", "conv3", "linear")
        weights = {name: file[key] for name, key in zip(names, file, strict=True)}
    _, (images, labels) = train.make_data(None, 0)
    check_tells_of_its_model(whole, train.logits(weights, images), labels)


def test_it_ends_with_the_weights_that_the_export_of_inference_takes(training: Script, whole: Ended) -> None:
    with import_module("numpy").load(exported(training, whole, STEPS) / "state.npz") as weights:
        shapes = [weights[name].shape for name in weights]
    assert shapes == [(3, 3, 1, 32), (3, 3, 32, 64), (3, 3, 64, 128), (128, 10)]


def test_a_killed_run_goes_on_at_its_newest_checkpoint(training: Script, whole: Ended) -> None:
    check_goes_on_after_a_kill(training, whole, STEPS)


def test_an_interrupted_run_writes_a_checkpoint(training: Script) -> None:
    check_saves_when_interrupted(training)


def test_it_reads_fashion_mnist(tmp_path: Path) -> None:
    check_reads(script("jax", tmp_path, "--batch-size", "8", "--precision", "bf16"), fashion_mnist(tmp_path))
