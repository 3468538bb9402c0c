"""Runs training scripts as a cluster does, in a folder that holds the script and what all scripts share.

What every script must do, whatever its framework, is asked here.
"""

import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

TRAINING = Path(__file__).parents[2] / "blueprints" / "training"
SECONDS_TO_END = 600
INTERRUPTED = 143

Line = dict[str, Any]
Process = subprocess.Popen[bytes]


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def lose(processes: Sequence[Process]) -> None:
    """Kills processes and all that they have started, as when their nodes are lost."""
    for process in processes:
        for pid, _ in _family(process.pid):
            _kill(pid)


def lose_what_it_runs(process: Process) -> None:
    """Kills all that a process has started, but not itself, which may start it again as Kubernetes does."""
    for pid, _ in _family(process.pid)[1:]:
        _kill(pid)


def lose_one(title: str) -> Callable[[Sequence[Process]], None]:
    """Kills one of the processes that have been started, which has this in its title."""
    return lambda processes: _kill(next(pid for each in processes for pid, its in _family(each.pid) if title in its))


def end(processes: Sequence[Process]) -> None:
    """Tells processes to end, as Kubernetes does before it takes a pod away."""
    for process in processes:
        process.terminate()


@dataclass(frozen=True)
class Ended:
    """What a run did."""

    codes: list[int]
    lines: list[Line]
    errors: str

    @property
    def code(self) -> int:
        """The exit code of a process that failed, or 0."""
        return max(self.codes, key=abs)

    def values(self, key: str) -> list[Any]:
        """What the lines with this key say."""
        return [line[key] for line in self.lines if key in line]

    @property
    def losses(self) -> dict[int, float]:
        """The loss of each step that was reported."""
        return {line["step"]: line["loss"] for line in self.lines if "step" in line}


@dataclass(frozen=True)
class Script:
    """A training script in a folder of its own, with the arguments that every run of it gets.

    Arguments:
        folder: where it runs.
        launch: gives the command of each process that starts it, and what its environment has beside.
        arguments: what follows the name of the script.
    """

    folder: Path
    launch: Callable[[], Sequence[tuple[Sequence[str], Mapping[str, str]]]]
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def checkpoints(self) -> Path:
        """Where it writes its checkpoints."""
        return self.folder / "checkpoints"

    @property
    def complete_checkpoints(self) -> list[int]:
        """The steps of the checkpoints that are complete."""
        return sorted(int(file.parent.name.removeprefix("step-")) for file in self.checkpoints.glob("step-*/complete"))

    def run(
        self,
        *arguments: str,
        until: Callable[[Line], bool] | None = None,
        then: Callable[[Sequence[Process]], None] | None = None,
    ) -> Ended:
        """Runs it to its end.

        Arguments:
            arguments: follow those that every run gets.
            until: something is done to it once it has printed a line of which this holds.
            then: what is done to the processes that were launched; without it they are lost.
        """
        with self._running(arguments) as (processes, output, errors):
            deadline = time.monotonic() + SECONDS_TO_END
            while any(process.poll() is None for process in processes):
                if until and any(until(line) for line in _lines(output)):
                    until = None
                    (then or lose)(processes)
                if time.monotonic() > deadline:
                    pytest.fail(f"still running after {SECONDS_TO_END} s:\n{errors.read_text()[-5000:]}")
                time.sleep(0.02)
            codes = [process.returncode for process in processes]
            return Ended(codes, _lines(output), errors.read_text(errors="replace"))

    @contextmanager
    def _running(self, arguments: Sequence[str]) -> Generator[tuple[list[Process], Path, Path]]:
        output, errors = self.folder / "output", self.folder / "errors"
        hidden = ("DATA_DIR", "CHECKPOINT_DIR", "LOG_DIR", "RUN_NAME", "MLFLOW_TRACKING_URI", "WANDB_API_KEY")
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        environment |= {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", **self.environment}
        processes = []
        with output.open("wb") as out, errors.open("wb") as err:
            for command, more in self.launch():
                processes.append(
                    subprocess.Popen(
                        [*command, "train.py", *self.arguments, *arguments],
                        cwd=self.folder,
                        env={**environment, **more},
                        stdout=out,
                        stderr=err,
                        start_new_session=True,
                    )
                )
        try:
            yield processes, output, errors
        finally:
            lose(processes)
            for process in processes:
                process.wait()


def script(
    blueprint: str, folder: Path, *arguments: str, launch: Sequence[str] = (sys.executable,), **environment: str
) -> Script:
    """A blueprint's script, ready to run with one command."""
    for file in [TRAINING / "training_run.py", *(TRAINING / blueprint).glob("*.py")]:
        if file.name != "__main__.py":
            shutil.copy(file, folder)
    return Script(folder, lambda: [(launch, {})], arguments, environment)


def module(blueprint: str) -> Any:
    """A blueprint's script as a module, of which nothing runs."""
    spec = importlib.util.spec_from_file_location(f"{blueprint}-script", TRAINING / blueprint / "train.py")
    assert spec
    assert spec.loader
    found = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(TRAINING))
    try:
        spec.loader.exec_module(found)
    finally:
        sys.path.remove(str(TRAINING))
    return found


def kept_and_gradients(model: Any, example: Any) -> tuple[int, list[float]]:
    """How many bytes a PyTorch model's forward pass keeps for the backward pass, and the size of each gradient."""
    torch: Any = importlib.import_module("torch")
    kept: dict[int, int] = {}

    def keep(tensor: Any) -> Any:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    model.zero_grad()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        said = model(example)
    for parameter in model.parameters():
        kept.pop(parameter.untyped_storage().data_ptr(), None)
    said.square().mean().backward()
    return sum(kept.values()), [float(each.grad.norm()) for each in model.parameters()]


def check_learns(run: Ended, steps: int) -> None:
    """The training reached its last step, and its loss fell."""
    assert run.code == 0, run.errors[-5000:]
    assert run.values("finished") == [steps]
    assert run.values("resumedFrom") == []
    losses = list(run.losses.values())
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3]), losses


def check_evaluates(run: Ended) -> None:
    """What is held out was evaluated with each checkpoint, and the model knows more of it than at its first step."""
    assert run.values("evaluated") == run.values("checkpoint"), run.errors[-5000:]
    losses = run.values("heldOutLoss")
    assert len(losses) == len(run.values("checkpoint")) > 1
    assert losses[-1] < 0.9 * run.losses[1], losses


def check_tells_of_its_model(run: Ended, logits: Any, labels: Any) -> None:
    """The last evaluation, of several processes or one, is what the model says of all that is held out.

    Arguments:
        run: the whole run.
        logits: what the model that it left says of each example that is held out.
        labels: what would be right.
    """
    numpy = import_module("numpy")
    logits, labels = numpy.asarray(logits, numpy.float64), numpy.asarray(labels)
    losses = numpy.log(numpy.exp(logits).sum(axis=1)) - logits[range(len(labels)), labels]
    assert run.values("heldOutLoss")[-1] == pytest.approx(losses.mean(), rel=1e-3, abs=1e-5)
    assert run.values("heldOutAccuracy")[-1] == pytest.approx((logits.argmax(axis=1) == labels).mean())


def exported(script: Script, run: Ended, steps: int) -> Path:
    """The folder with the model that a whole run has left, as a version for its server."""
    assert run.values("exported") == [steps], run.errors[-5000:]
    (version,) = (script.checkpoints / "model").iterdir()
    assert version.name == str(steps)
    return version


def export_newest(script: Script) -> "subprocess.CompletedProcess[str]":
    """Runs the export of a script whose checkpoints lie in parts."""
    command = [sys.executable, "export.py", str(script.checkpoints)]
    return subprocess.run(command, cwd=script.folder, capture_output=True, text=True, check=False)


def exported_newest(script: Script, steps: int) -> Path:
    """The folder with the model that is made of the newest checkpoint, once: as a version for its server it stays."""
    done = export_newest(script)
    assert done.returncode == 0, done.stderr
    version = script.checkpoints / "model" / str(steps)
    assert f"{version / 'model.pt'}: " in done.stdout
    again = export_newest(script)
    assert again.returncode == 2
    assert f"its newest is exported already: {version / 'model.pt'}" in again.stderr
    return version


def torchscript(version: Path) -> Any:
    """The model in a version's folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module("torch").jit.load(version / "model.pt")


def check_torchscript(version: Path, *shape: int) -> None:
    """The model takes batches of any size."""
    torch, model = import_module("torch"), torchscript(version)
    with torch.inference_mode():
        assert [model(torch.zeros(batch, *shape)).shape for batch in (1, 5)] == [(1, 10), (5, 10)]


def check_saved_model(version: Path) -> None:
    """The model takes batches of any size, by a signature such as TensorFlow Serving asks for."""
    tensorflow = import_module("tensorflow")
    loaded = tensorflow.saved_model.load(version)
    for batch in (1, 5):
        (answers,) = loaded.signatures["serving_default"](image=tensorflow.zeros((batch, 28, 28, 1))).values()
        assert answers.shape == (batch, 10)


def check_goes_on_after_a_kill(script: Script, whole: Ended, steps: int, tolerance: float = 0.02) -> None:
    """A killed run goes on at its newest complete checkpoint, and ends as one does that was never killed."""
    shutil.rmtree(script.checkpoints)
    killed = script.run(until=lambda line: "checkpoint" in line)
    assert killed.code != 0
    assert killed.values("finished") == []
    newest = script.complete_checkpoints[-1]
    # What a run leaves that was killed while it wrote.
    (script.checkpoints / f"step-{newest + 1:09}").mkdir()
    resumed = script.run()
    assert resumed.code == 0, resumed.errors[-5000:]
    assert resumed.values("resumedFrom") == [newest]
    assert resumed.values("finished") == [steps]
    expected = {step: loss for step, loss in whole.losses.items() if step > newest}
    assert resumed.losses == pytest.approx(expected, rel=tolerance, abs=tolerance)
    assert len(script.complete_checkpoints) <= 3


def check_saves_when_interrupted(script: Script) -> None:
    """A run that is told to end writes a checkpoint where it is, and fails, so that it is started again."""
    shutil.rmtree(script.checkpoints)
    far = ("--steps", "1000000", "--checkpoint-every", "1000000")
    interrupted = script.run(*far, until=lambda line: "step" in line, then=end)
    assert interrupted.code != 0
    assert interrupted.values("finished") == []
    assert interrupted.values("checkpoint") == [max(interrupted.losses)], interrupted.errors[-5000:]
    assert script.complete_checkpoints == interrupted.values("checkpoint")


def check_makes_up_enough(blueprint: str) -> None:
    """Without a data set, each GPU of the blueprint's settings has a batch of its own."""
    (file,) = (TRAINING / blueprint).glob("Pulumi.*.yaml")
    settings = yaml.safe_load(file.read_text())["config"]["eksml:workload"]
    (batch_size,) = re.findall(r"batch_size=(\d+)", (TRAINING / blueprint / "train.py").read_text())
    training, _ = module(blueprint).make_data(None)
    assert len(training) >= settings["nodes"] * settings["gpusPerNode"] * int(batch_size)


def check_reads(script: Script, data: Path) -> None:
    """It trains with the files that its documentation names."""
    shutil.rmtree(script.checkpoints, ignore_errors=True)
    run = script.run("--data", str(data), "--steps", "2")
    assert run.code == 0, run.errors[-5000:]
    assert run.values("finished") == [2]


def _lines(output: Path) -> list[Line]:
    """The JSON objects among what was printed; the last line may be half written, and libraries print too."""
    found = []
    for text in output.read_text(errors="replace").splitlines():
        if text.startswith("{") and text.endswith("}"):
            found.append(json.loads(text))
    return found


def _family(process: int) -> list[tuple[int, str]]:
    """A process and all that it started, each with its title."""
    command = ["ps", "-A", "-w", "-w", "-o", "pid=,ppid=,args="]
    rows = [row.split(maxsplit=2) for row in subprocess.check_output(command, text=True).splitlines()]
    table = {int(pid): (int(parent), title[0] if title else "") for pid, parent, *title in rows}
    members = [process] if process in table else []
    for member in members:
        members += [pid for pid, (parent, _) in table.items() if parent == member]
    return [(member, table[member][1]) for member in members]


def _kill(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
