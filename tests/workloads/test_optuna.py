"""The Optuna script searches with two workers and one study in PostgreSQL."""

import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from workloads.data import mnist
from workloads.postgresql import postgresql
from workloads.scripts import INTERRUPTED, Process, Script, check_reads, end, lose, script

pytestmark = pytest.mark.workload(module="optuna", group="workload-optuna")

TRIALS = 8
SETTINGS = f"--steps {TRIALS} --epochs 20 --heartbeat 1".split()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """PostgreSQL on loopback, until the tests of this file have ended."""
    with postgresql("optuna") as port:
        yield f"postgresql+psycopg://optuna@127.0.0.1:{port}/postgres"


@pytest.fixture
def worker(server: str, request: pytest.FixtureRequest, tmp_path: Path) -> Script:
    return script("optuna", tmp_path, *SETTINGS, STUDY_URL=server, STUDY_NAME=request.node.name)


def test_two_workers_search_together(worker: Script) -> None:
    command = [sys.executable]
    two = replace(worker, launch=lambda: [(command, {"JOB_COMPLETION_INDEX": number}) for number in ("0", "1")])
    # Of a machine that is busy no heartbeat may be late: the other one would start the trial again.
    run = two.run("--heartbeat", "60")
    assert run.code == 0, run.errors[-5000:]
    # A worker ends its trial although the other one has ended the last that was asked for, and may be the later one.
    ended = len(run.values("step"))
    assert ended in (TRIALS, TRIALS + 1)
    finished = run.values("finished")
    assert len(finished) == 2
    assert TRIALS <= min(finished) <= max(finished) == ended
    best = min(found["loss"] for found in run.values("best"))
    assert round(best, 6) == min(run.values("loss")) < run.values("loss")[0]


@pytest.mark.parametrize(("then", "code"), [(lose, -signal.SIGKILL), (end, INTERRUPTED)])
def test_the_trial_of_a_worker_that_is_gone_is_started_again(worker: Script, then: Any, code: int) -> None:
    optuna = pytest.importorskip("optuna")

    def in_the_next_trial(processes: Sequence[Process]) -> None:
        time.sleep(1)
        then(processes)

    gone = worker.run(until=lambda line: "step" in line, then=in_the_next_trial)
    assert gone.code == code, gone.errors[-5000:]
    time.sleep(3)
    after = worker.run()
    assert after.values("resumedFrom") == [len(gone.values("step"))]
    assert after.values("finished") == [TRIALS]
    storage = optuna.storages.RDBStorage(worker.environment["STUDY_URL"])
    trials = optuna.load_study(study_name=worker.environment["STUDY_NAME"], storage=storage).trials
    storage.remove_session()
    storage.engine.dispose()
    (lost,) = [trial for trial in trials if trial.state.name == "FAIL"]
    (again,) = [trial for trial in trials if trial.system_attrs.get("failed_trial") == lost.number]
    assert again.params == lost.params
    assert again.state.is_finished()


def test_it_reads_mnist(tmp_path: Path) -> None:
    check_reads(script("optuna", tmp_path, "--batch-size", "8", "--epochs", "2"), mnist(tmp_path))
