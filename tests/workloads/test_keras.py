"""The Keras script trains with JAX, its default, and with TensorFlow, as the blueprint's image has it do."""

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
    module,
    script,
)

pytestmark = pytest.mark.workload(module="keras", group="workload-keras")

STEPS = 30
SETTINGS = f"--steps {STEPS} --batch-size 32 --report-every 1 --checkpoint-every 10".split()


@pytest.fixture(scope="module", params=["jax", "tensorflow"])
def training(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Script:
    folder = tmp_path_factory.mktemp("run")
    return script("keras", folder, *SETTINGS, KERAS_BACKEND=request.param)


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
    _, (images, labels) = module("keras").make_data(None, 0)
    (logits,) = model.signatures["serving_default"](image=tensorflow.constant(images, "float32")).values()
    check_tells_of_its_model(whole, logits, labels)


def test_it_ends_with_a_model_that_is_served(training: Script, whole: Ended) -> None:
    check_saved_model(exported(training, whole, STEPS))


def test_a_killed_run_goes_on_at_its_newest_checkpoint(training: Script, whole: Ended) -> None:
    check_goes_on_after_a_kill(training, whole, STEPS)


def test_an_interrupted_run_writes_a_checkpoint(training: Script) -> None:
    check_saves_when_interrupted(training)


def test_it_reads_mnist(tmp_path: Path) -> None:
    check_reads(script("keras", tmp_path, "--batch-size", "8", "--precision", "bf16"), mnist(tmp_path))


def test_all_devices_of_a_machine_share_a_batch(tmp_path: Path) -> None:
    two = script("keras", tmp_path, *SETTINGS, "--steps", "5", XLA_FLAGS="--xla_force_host_platform_device_count=2")
    assert two.run().values("finished") == [5]
