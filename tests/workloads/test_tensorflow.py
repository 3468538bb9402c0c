"""The TensorFlow script trains with two workers on loopback."""

import json
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from workloads.data import mnist
from workloads.scripts import (
    Ended,
    Script,
    check_evaluates,
    check_goes_on_after_a_kill,
    check_learns,
    check_reads,
    check_saved_model,
    check_saves_when_interrupted,
    check_tells_of_its_model,
    exported,
    free_port,
    module,
    script,
)

pytestmark = pytest.mark.workload(module="tensorflow", group="workload-tensorflow")

STEPS = 30
SETTINGS = f"--steps {STEPS} --batch-size 32 --report-every 1 --checkpoint-every 10".split()


def two_workers() -> list[tuple[list[str], dict[str, str]]]:
    """As a TFJob starts them: one is the chief."""
    chief, worker = (f"127.0.0.1:{free_port()}" for _ in range(2))
    cluster = {"chief": [chief], "worker": [worker]}
    configurations = [{"cluster": cluster, "task": {"type": role, "index": 0}} for role in cluster]
    return [([sys.executable], {"TF_CONFIG": json.dumps(each)}) for each in configurations]


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Script:
    folder = tmp_path_factory.mktemp("run")
    return replace(script("tensorflow", folder, *SETTINGS), launch=two_workers)


@pytest.fixture(scope="module")
def whole(training: Script) -> Ended:
    return training.run()


def test_the_loss_falls(whole: Ended) -> None:
    check_learns(whole, STEPS)


def test_what_is_held_out_is_evaluated(whole: Ended) -> None:
    check_evaluates(whole)


def test_its_last_evaluation_tells_of_the_model_that_it_leaves(training: Script, whole: Ended) -> None:
    tensorflow = import_module("tensorflow")

    model = tensorflow.saved_model.load(exported(training, whole, STEPS))
    _, (images, labels) = module("tensorflow").make_data(None, 0)
    (logits,) = model.signatures["serving_default"](image=tensorflow.constant(images, "float32")).values()
    check_tells_of_its_model(whole, logits, labels)


def test_it_ends_with_a_model_that_is_served(training: Script, whole: Ended) -> None:
    check_saved_model(exported(training, whole, STEPS))


def test_a_killed_run_goes_on_at_its_newest_checkpoint(training: Script, whole: Ended) -> None:
    check_goes_on_after_a_kill(training, whole, STEPS)


def test_an_interrupted_run_writes_a_checkpoint(training: Script) -> None:
    check_saves_when_interrupted(training)


def test_it_reads_mnist(tmp_path: Path) -> None:
    check_reads(script("tensorflow", tmp_path, "--batch-size", "8", "--precision", "bf16"), mnist(tmp_path))


def test_tensorboard_reads_what_a_script_wrote(training: Script, whole: Ended) -> None:
    read = "import sys, json\nfrom tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n"
    read += "log = EventAccumulator(sys.argv[1])\nlog.Reload()\n"
    read += "print(json.dumps({event.step: event.value for event in log.Scalars('loss')}))"
    command = [sys.executable, "-c", read, str(training.folder / "logs")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    written = {int(step): loss for step, loss in json.loads(printed.splitlines()[-1]).items()}
    assert {step: written[step] for step in whole.losses} == pytest.approx(whole.losses, rel=0.02, abs=0.02)
