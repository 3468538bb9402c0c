"""The DeepSpeed script trains in two processes that DeepSpeed's launcher starts, as the component has it do."""

import base64
import sys
from dataclasses import replace
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
    exported_newest,
    free_port,
    kept_and_gradients,
    module,
    script,
    torchscript,
)

pytestmark = pytest.mark.workload(module="deepspeed", group="workload-deepspeed")

STEPS = 16
SETTINGS = f"--steps {STEPS} --batch-size 4 --layers 1 --report-every 1 --checkpoint-every 5".split()
WORLD = base64.urlsafe_b64encode(b'{"node-0": [0, 1]}').decode()
DEEPSPEED = [sys.executable, "-m", "deepspeed.launcher.launch", f"--world_info={WORLD}", "--node_rank=0"]


def launch() -> list[tuple[list[str], dict[str, str]]]:
    return [([*DEEPSPEED, "--master_addr=127.0.0.1", f"--master_port={free_port()}"], {})]


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Script:
    folder = tmp_path_factory.mktemp("run")
    return replace(script("pytorch-deepspeed", folder, *SETTINGS), launch=launch)


@pytest.fixture(scope="module")
def whole(training: Script) -> Ended:
    return training.run()


def test_the_loss_falls(whole: Ended) -> None:
    check_learns(whole, STEPS)


def test_what_is_held_out_is_evaluated(whole: Ended) -> None:
    check_evaluates(whole)


def test_its_newest_checkpoint_is_exported_to_one_model(training: Script, whole: Ended) -> None:
    torch = import_module("torch")

    torch.manual_seed(0)
    module("pytorch-deepspeed").make_model(1)  # The script makes it before the data.
    _, held_out = module("pytorch-deepspeed").make_data(None)
    images, labels = held_out[:]
    with torch.inference_mode():
        logits = torchscript(exported_newest(training, STEPS))(images)
    check_tells_of_its_model(whole, logits, labels)


@pytest.mark.parametrize("words", ["--stage=0", "--stage=1 --precision=bf16", "--stage=3"])
def test_checkpoints_of_every_stage_are_exported(tmp_path: Path, words: str) -> None:
    training = replace(script("pytorch-deepspeed", tmp_path, *SETTINGS), launch=launch)
    run = training.run("--steps", "2", *words.split())
    assert run.values("finished") == [2], run.errors[-5000:]
    assert torchscript(exported_newest(training, 2))(import_module("torch").zeros(5, 3, 32, 32)).shape == (5, 10)


def test_micro_batches_give_the_losses_of_a_whole_batch(tmp_path: Path, whole: Ended) -> None:
    split = replace(script("pytorch-deepspeed", tmp_path, *SETTINGS), launch=launch).run("--accumulate", "2")
    assert split.losses == pytest.approx(whole.losses, rel=1e-3), split.errors[-5000:]


def test_checkpointing_changes_no_loss(tmp_path: Path, whole: Ended) -> None:
    again = replace(script("pytorch-deepspeed", tmp_path, *SETTINGS), launch=launch).run("--checkpointing", "full")
    assert again.losses == pytest.approx(whole.losses, rel=1e-3), again.errors[-5000:]
    assert again.code == 0


def test_with_checkpointing_a_forward_pass_keeps_less_and_gives_the_same_gradients() -> None:
    train = module("pytorch-deepspeed")
    model, example = train.make_model(4), train.make_data(None)[0][:2][0].clone()
    kept, gradients = kept_and_gradients(model, example)
    train.calculate_twice(model.encoder.layers)
    fewer_kept, same_gradients = kept_and_gradients(model, example)
    assert fewer_kept < 0.3 * kept
    assert same_gradients == pytest.approx(gradients)


def test_a_killed_run_goes_on_at_its_newest_checkpoint(training: Script, whole: Ended) -> None:
    check_goes_on_after_a_kill(training, whole, STEPS)


def test_an_interrupted_run_writes_a_checkpoint(training: Script) -> None:
    check_saves_when_interrupted(training)


def test_it_makes_up_enough_for_all_gpus() -> None:
    check_makes_up_enough("pytorch-deepspeed")


def test_it_reads_cifar10(tmp_path: Path) -> None:
    settings = ["--batch-size", "4", "--layers", "1", "--stage", "3"]
    check_reads(replace(script("pytorch-deepspeed", tmp_path, *settings), launch=launch), cifar10(tmp_path))
