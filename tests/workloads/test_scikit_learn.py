"""The script of scikit-learn and XGBoost trains."""

from pathlib import Path

import pytest

from workloads.data import adult
from workloads.scripts import (
    Ended,
    Script,
    check_goes_on_after_a_kill,
    check_learns,
    check_reads,
    check_saves_when_interrupted,
    script,
)

pytestmark = pytest.mark.workload(module="xgboost", group="workload-scikit-learn")

STEPS = 300
SETTINGS = f"--steps {STEPS} --report-every 1 --checkpoint-every 30".split()


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Script:
    folder = tmp_path_factory.mktemp("run")
    return script("scikit-learn", folder, *SETTINGS)


@pytest.fixture(scope="module")
def whole(training: Script) -> Ended:
    return training.run()


def test_the_loss_falls(whole: Ended) -> None:
    check_learns(whole, STEPS)


def test_a_killed_run_goes_on_at_its_newest_checkpoint(training: Script, whole: Ended) -> None:
    check_goes_on_after_a_kill(training, whole, STEPS)


def test_an_interrupted_run_writes_a_checkpoint(training: Script) -> None:
    check_saves_when_interrupted(training)


def test_it_reads_adult(tmp_path: Path) -> None:
    check_reads(script("scikit-learn", tmp_path), adult(tmp_path))
