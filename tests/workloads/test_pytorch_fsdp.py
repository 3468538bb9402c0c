"""The FSDP script trains in two processes that torchrun starts."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from workloads.data import tiny_shakespeare
from workloads.scripts import (
    Ended,
    Script,
    check_goes_on_after_a_kill,
    check_learns,
    check_reads,
    check_saves_when_interrupted,
    script,
)

pytestmark = pytest.mark.workload(module="torch", group="workload-pytorch")

STEPS = 40
SETTINGS = f"--steps {STEPS} --batch-size 4 --layers 2 --width 64 --report-every 1 --checkpoint-every 10".split()
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Script:
    folder = tmp_path_factory.mktemp("run")
    return script("pytorch-fsdp", folder, *SETTINGS, launch=TORCHRUN)


@pytest.fixture(scope="module")
def whole(training: Script) -> Ended:
    return training.run()


def test_the_loss_falls(whole: Ended) -> None:
    check_learns(whole, STEPS)


def test_a_killed_run_goes_on_at_its_newest_checkpoint(training: Script, whole: Ended) -> None:
    check_goes_on_after_a_kill(training, whole, STEPS)


def test_an_interrupted_run_writes_a_checkpoint(training: Script) -> None:
    check_saves_when_interrupted(training)


def test_it_reads_tiny_shakespeare(tmp_path: Path) -> None:
    check_reads(
        script("pytorch-fsdp", tmp_path, "--batch-size", "4", "--precision", "bf16", launch=TORCHRUN),
        tiny_shakespeare(tmp_path),
    )


def test_one_process_goes_on_with_what_two_have_written(training: Script, whole: Ended) -> None:
    assert training.run().values("finished") == [STEPS]
    alone = replace(training, launch=lambda: [([*TORCHRUN[:-1], "1"], {})])
    longer = alone.run("--steps", str(STEPS + 5))
    assert longer.values("resumedFrom") == [STEPS]
    assert longer.losses[STEPS + 5] < whole.losses[1]
