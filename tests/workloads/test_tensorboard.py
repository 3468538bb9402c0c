"""TensorBoard's own server, started as the component starts it, shows what the training scripts wrote."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

from tracking.boards import board, container
from workloads.scripts import TRAINING, free_port

pytestmark = pytest.mark.workload(module="tensorboard", group="workload-tensorboard")

PREFIX = "/vision/tensorboard"
# Where jobs of the team have their logs in the bucket, seen from its TensorBoard.
LOGS = "resnet/checkpoints/logs"
SCRIPT = """
import sys, training_run
settings = training_run.arguments("A script.", steps=6, learning_rate=0.1).parse_args(sys.argv[1:])
run = training_run.TrainingRun(settings)
run.resume(lambda folder: None)
for step in run.steps():
    run.step_done(step, 1 / step, lambda folder: (folder / "state").write_text("trained"))
    print("step", step, flush=True)
    input()
"""


class Job:
    """A job that writes logs by the blueprints' way; what it writes is put into the bucket whole, as objects are."""

    def __init__(self, folder: Path, bucket: Path):
        self._written, self._bucket = folder / "logs", bucket / LOGS
        folders = ["--logs", str(self._written), "--checkpoints", str(folder / "checkpoints")]
        every = ["--report-every", "1", "--checkpoint-every", "2"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *folders, *every],
            env={"PYTHONPATH": str(TRAINING)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def train(self, steps: int) -> None:
        """Trains for so many steps."""
        assert self.process.stdin
        assert self.process.stdout
        for _ in range(steps):
            while not self.process.stdout.readline().startswith("step"):
                assert self.process.poll() is None
            self.process.stdin.write("\n")
            self.process.stdin.flush()

    def put(self) -> None:
        """Replaces the objects of the bucket by the files as they are now."""
        self._bucket.mkdir(parents=True, exist_ok=True)
        for file in self._written.iterdir():
            put = self._bucket / "put"
            put.write_bytes(file.read_bytes())
            put.rename(self._bucket / file.name)


@contextmanager
def tensorboard(logs: Path) -> Generator[Callable[[str], Any]]:
    """The server with exactly the arguments of the pod, but for its port and the place of the logs."""
    rendered = container(board(exposure={"pathPrefix": PREFIX}, reloadSeconds=5))
    port = free_port()
    changed = {"--logdir=/logs": f"--logdir={logs}", "--port=6006": f"--port={port}"}
    assert set(changed) < set(rendered["args"])
    program = str(Path(sys.executable).with_name(*rendered["command"]))
    command = [program, *(changed.get(argument, argument) for argument in rendered["args"])]

    def get(path: str) -> Any:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.read()

    with subprocess.Popen(command) as server:
        try:
            wait_for(lambda: answers(get, rendered["readinessProbe"]["httpGet"]["path"]))
            yield get
        finally:
            server.terminate()


def answers(get: Callable[[str], Any], path: str) -> bool:
    try:
        return bool(get(path))
    except URLError:
        return False


def wait_for(condition: Callable[[], bool], seconds: int = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.5)


def losses(get: Callable[[str], Any]) -> dict[int, float]:
    """The loss of each step that it shows."""
    runs = json.loads(get(f"{PREFIX}/data/runs"))
    if runs != [LOGS]:
        return {}
    points = json.loads(get(f"{PREFIX}/data/plugin/scalars/scalars?tag=loss&run={LOGS}"))
    return {step: value for _, step, value in points}


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    made = Job(tmp_path / "pod", tmp_path / "bucket")
    yield made
    made.process.kill()
    made.process.communicate()


def test_it_lists_the_run_under_its_path_prefix_and_follows_what_is_put_into_the_bucket(
    job: Job, tmp_path: Path
) -> None:
    job.train(steps=3)
    job.put()
    with tensorboard(tmp_path / "bucket") as get:
        assert b"<title>TensorBoard" in get(f"{PREFIX}/")
        with pytest.raises(HTTPError, match="404"):
            get("/data/environment")
        wait_for(lambda: len(losses(get)) == 2)
        assert losses(get) == pytest.approx({1: 1, 2: 1 / 2})
        # The file of before is another one now, with more in it.
        job.train(steps=2)
        job.put()
        wait_for(lambda: len(losses(get)) == 4)
        assert losses(get) == pytest.approx({step: 1 / step for step in range(1, 5)})
