"""What all training scripts do alike, whatever the framework: settings, reports, checkpoints, interruptions.

It lies beside train.py on the cluster and needs nothing but Python, so that every framework's image can run it.

A checkpoint is a folder `step-000000100`. It counts once it has a file `complete`, which is written last: checkpoints
may lie on S3, where nothing is renamed and nothing is appended to. A script writes its files into a local folder, from
which each is copied whole.

At its last step a training writes the model as a server takes it, into `model/STEP` beside the checkpoints: to model
servers, a version is a folder of a number. The file by which they know the model is written last.

A spot interruption sends SIGTERM two minutes ahead: the script writes a checkpoint and ends with 143, which is not
success, so the job is started again and goes on from there.
"""

import argparse
import importlib
import importlib.util
import json
import math
import os
import random
import re
import shutil
import signal
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

EXIT_CODE_WHEN_INTERRUPTED = 128 + signal.SIGTERM
CHECKPOINTS_KEPT = 3

_COMPLETE = "complete"
_ABOUT = "run.json"


def arguments(
    description: str | None,
    *,
    steps: int,
    learning_rate: float,
    batch_size: int | None = None,
    precisions: tuple[str, ...] = ("fp32", "bf16", "fp16"),
    exports: bool = False,
) -> argparse.ArgumentParser:
    """The arguments that every script has, with the defaults of one; a script may add its own.

    Arguments:
        description: what the script does, for `--help`.
        steps: the default number of steps.
        learning_rate: the default learning rate.
        batch_size: the default number of examples in a step of one process; a script without it has no batches.
        precisions: what the script can calculate in; the first is its default.
        exports: whether it ends with a model that can be served, and so be registered.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--data", type=Path, default=_folder("DATA_DIR"), help="folder with the data set; without it, data is made up")
    add("--checkpoints", type=Path, default=_folder("CHECKPOINT_DIR", "checkpoints"), help="folder for checkpoints")
    add("--logs", type=Path, default=_folder("LOG_DIR", "logs"), help="folder for TensorBoard's logs")
    add("--steps", type=_positive, default=steps, help=f"steps to train, in all ({steps})")
    if batch_size:
        add("--batch-size", type=_positive, default=batch_size, help=f"examples in a step of a process ({batch_size})")
    add("--learning-rate", type=float, default=learning_rate, help=f"learning rate ({learning_rate})")
    add("--seed", type=int, default=0, help="what all that is random begins with (0)")
    add("--precision", choices=precisions, default=precisions[0], help=f"mixed precision, or none ({precisions[0]})")
    add("--checkpoint-every", type=_positive, default=500, help="steps between two checkpoints (500)")
    add("--report-every", type=_positive, default=10, help="steps between two reports, and looks for SIGTERM (10)")
    if exports:
        text = "register the model with MLflow or Weights & Biases"
        add("--register", type=_registered, metavar="NAME[@ALIAS]", help=text)
    return parser


class TrainingRun:
    """One training, from its newest complete checkpoint to its last step.

    Process 0 speaks for all: one JSON object a line on standard output, TensorBoard's logs, and MLflow or Weights &
    Biases where the environment says so.

    Arguments:
        settings: what `arguments` read.
        process: the number of this process.
        mean: gives the mean of each of some numbers over all processes, which all call it at the same step.
        sharded: every process writes a part of each checkpoint; otherwise process 0 writes the whole.
    """

    def __init__(
        self,
        settings: argparse.Namespace,
        *,
        process: int = 0,
        mean: Callable[[list[float]], list[float]] = list,
        sharded: bool = False,
    ):
        self.done = 0
        self._settings = settings
        self._process = process
        self._mean = mean
        self._sharded = sharded
        self._register: str | None = getattr(settings, "register", None)
        self._trackers: dict[str, Any] = {}
        self._interrupted = False
        self._examples_of_step = 0
        self._measured_since: tuple[int, float] | None = None
        random.seed(settings.seed)
        self.watch()

    def watch(self) -> None:
        """Takes notice of SIGTERM from now on."""
        signal.signal(signal.SIGTERM, self.interrupt)

    def interrupted(self) -> bool:
        """Whether this process was told to end."""
        return self._interrupted

    def say(self, **line: Any) -> None:
        """Says something to machines."""
        say(**line)

    def resume(self, load: Callable[[Path], object]) -> None:
        """Loads the newest complete checkpoint, where there is one.

        Arguments:
            load: reads what `save` wrote into this folder.
        """
        newest = self._newest_checkpoint()
        about = {}
        if newest:
            about = about_checkpoint(newest)
            self.done = about["step"]
            load(newest)
        if self._process == 0:
            self._remove_incomplete()
            self._start_trackers(about.get("trackers", {}))
            if newest:
                self.say(resumedFrom=self.done)
            # Before the training has cost anything.
            if self._register:
                self._registries()

    def steps(self, export: Callable[[Path], object] | None = None, *, mark: str = "") -> Iterator[int]:
        """The numbers of the steps that are left. After the last one the model is exported, and registered if asked.

        Arguments:
            export: writes the model, as a server takes it, into a folder; of a script without it nothing is served.
            mark: the file by which the server knows it.
        """
        yield from range(self.done + 1, self._settings.steps + 1)
        if export:
            self._export(export, mark)
        self.finish(finished=self._settings.steps)

    def batches(self, examples: int, processes: int = 1) -> Iterator[list[int]]:
        """Which examples this process takes in each step that is left, and in as many more as one asks for.

        Every epoch has an order of its own, which is the same after a restart.

        Arguments:
            examples: the size of the data set.
            processes: how many processes take examples of their own; with one, all take the same.
        """
        size = self._settings.batch_size
        steps_of_epoch = examples // (size * processes)
        if steps_of_epoch == 0:
            raise SystemExit(f"--batch-size: {size} given, at most {examples // processes} for {examples} examples")
        self._examples_of_step = size * processes
        order, order_of = [], None
        step = self.done
        while True:
            epoch, place = divmod(step, steps_of_epoch)
            if epoch != order_of:
                order = random.Random(f"{self._settings.seed}, epoch {epoch}").sample(range(examples), examples)  # noqa: S311
                order_of = epoch
            first = (place * processes + self._process % processes) * size
            yield order[first : first + size]
            step += 1

    def share(self, examples: int, processes: int = 1) -> slice:
        """Which of the examples that are held out this process evaluates: as many as every other process.

        So the mean of what they find is that of all, and none waits for another. At most `processes` - 1 are left out.

        Arguments:
            examples: how many are held out.
            processes: how many processes take examples of their own.
        """
        if examples < processes:
            raise SystemExit(f"--data: {examples} examples are held out, must be at least {processes}, one a process")
        return slice(self._process % processes, examples - examples % processes, processes)

    def step_done(
        self,
        step: int,
        loss: Any,
        save: Callable[[Path], object],
        evaluate: Callable[[], dict[str, Any]] | None = None,
    ) -> None:
        """Reports the loss, evaluates and writes a checkpoint, each when it is due. Ends an interrupted training.

        Arguments:
            step: the number of the step.
            loss: this process's loss in it: a number, or what can be made one.
            save: writes this process's part of a checkpoint into a folder.
            evaluate: this process's numbers, by their names, for its share of what is held out. All processes call it
                before each checkpoint, but for that of an interruption, when there is no time.
        """
        checkpoint = step % self._settings.checkpoint_every == 0 or step == self._settings.steps
        if not checkpoint and step % self._settings.report_every != 0:
            return
        # An interruption of one is an interruption of all: they agree on it here, where they meet anyway.
        mean_loss, interrupted = self._mean([float(loss), float(self.interrupted())])
        if not math.isfinite(mean_loss):
            self._end_trackers(succeeded=False)
            raise SystemExit(f"the loss is {mean_loss} at step {step}: a lower --learning-rate may help")
        self.report(step, mean_loss)
        if evaluate and checkpoint and not interrupted:
            self._evaluate(step, evaluate)
        if checkpoint or interrupted:
            self._save(step, save)
        if interrupted:
            self._end_trackers(succeeded=False)
            sys.exit(EXIT_CODE_WHEN_INTERRUPTED)
        self._measured_since = step, time.monotonic()  # After the checkpoint, which is no training.

    def report(self, step: int, loss: float) -> None:
        """Says what the loss is, where people and trackers read it, and to machines how fast and how large it is."""
        if self._process == 0:
            self.say(step=step, loss=round(loss, 6), **self._speed(step), **_gpu_memory())
            self._track(step, {"loss": loss})

    def finish(self, **line: Any) -> None:
        """Ends a training that has succeeded, with these last words."""
        self._end_trackers(succeeded=True)
        if self._process == 0:
            self.say(**line)

    def interrupt(self, *_: object) -> None:
        """Ends the training at the next step at which the processes meet."""
        self._interrupted = True

    def _evaluate(self, step: int, evaluate: Callable[[], dict[str, Any]]) -> None:
        found = evaluate()
        means = dict(zip(found, self._mean([float(number) for number in found.values()]), strict=True))
        if self._process == 0:
            self.say(evaluated=step, **{name: round(number, 6) for name, number in means.items()})
            self._track(step, means)

    def _track(self, step: int, numbers: dict[str, float]) -> None:
        for name, tracker in list(self._trackers.items()):
            self._guarded(name, lambda tracker=tracker: tracker.log(step, numbers))

    def _speed(self, step: int) -> dict[str, float]:
        """Examples that all processes have taken in a second since the last report; of the first none is known."""
        if not self._measured_since or not self._examples_of_step:
            return {}
        last, then = self._measured_since
        seconds = max(time.monotonic() - then, 1e-9)
        return {"examplesPerSecond": round((step - last) * self._examples_of_step / seconds, 1)}

    def _newest_checkpoint(self) -> Path | None:
        """The newest complete checkpoint, which all processes must see: each would go on at a step of its own else."""
        newest = newest_checkpoint(self._settings.checkpoints)
        step = int(newest.name.removeprefix("step-")) if newest else 0
        (mean,) = self._mean([float(step)])
        (agreeing,) = self._mean([float(round(mean) == step)])
        if agreeing < 1:
            folder = self._settings.checkpoints
            raise SystemExit(f"--checkpoints: {folder} given, must be shared: not all processes see step {step} there")
        return newest

    def _save(self, step: int, save: Callable[[Path], object]) -> None:
        folder = self._settings.checkpoints / f"step-{step:09}"
        if self._process == 0 or self._sharded:
            with tempfile.TemporaryDirectory() as local:
                save(Path(local))
                _copy(Path(local), folder)
        self._mean([0.0])  # Until every process has written its part.
        if self._process == 0:
            about = {"step": step, "settings": vars(self._settings), "trackers": self._tracked_runs()}
            (folder / _ABOUT).write_text(json.dumps(about, default=str, indent=2), encoding="utf-8")
            (folder / _COMPLETE).write_text("", encoding="utf-8")
            self.say(checkpoint=step)
            for name, tracker in list(self._trackers.items()):
                self._guarded(name, tracker.keep)
            for old in sorted(complete_checkpoints(self._settings.checkpoints))[:-CHECKPOINTS_KEPT]:
                _remove(old)
        self._mean([0.0])  # None may end before: a launcher that sees one end kills the others.

    def _export(self, export: Callable[[Path], object], mark: str) -> None:
        version = max(self.done, self._settings.steps)
        folder = self._settings.checkpoints / "model" / str(version)
        (exported,) = self._mean([float((folder / mark).exists())])
        # Of a model in shards all take part, and the first has the whole.
        if exported < 1 and (self._process == 0 or self._sharded):
            with tempfile.TemporaryDirectory() as local:
                export(Path(local))
                if self._process == 0:
                    _copy(Path(local), folder, last=mark)
                    self.say(exported=version)
        if self._process == 0 and self._register:
            self._register_once(folder, self._register)
        self._mean([0.0])  # As after a checkpoint.

    def _register_once(self, folder: Path, model: str) -> None:
        """Registers the model, unless a run before has: the alias may have moved on since."""
        registered = folder.with_suffix(".registered")
        if registered.exists() and registered.read_text(encoding="utf-8") == model:
            return
        name, _, alias = model.partition("@")
        for registry in self._registries():
            registry.register(folder, name, alias)
        registered.write_text(model, encoding="utf-8")
        self.say(registered=model)

    def _registries(self) -> list[Any]:
        """The trackers that have models too."""
        found = [tracker for name, tracker in self._trackers.items() if name != "tensorboard"]
        if not found:
            text = "but there is no MLflow and no Weights & Biases: the job needs trackers, and the image their client"
            raise SystemExit(f"--register: {self._register} given, {text}")
        return found

    def _remove_incomplete(self) -> None:
        """Removes what a killed run left: a checkpoint of the same step is about to be written anew."""
        complete = complete_checkpoints(self._settings.checkpoints)
        for folder in set(self._settings.checkpoints.glob("step-*")) - set(complete):
            _remove(folder)

    def _start_trackers(self, runs: dict[str, str]) -> None:
        environment = os.environ
        if environment.get("MLFLOW_TRACKING_URI"):
            self._start_tracker("mlflow", _MLflow, runs)
        if environment.get("WANDB_API_KEY") or environment.get("WANDB_MODE"):
            self._start_tracker("wandb", _WeightsAndBiases, runs)
        self._guarded("tensorboard", lambda: self._trackers.update(tensorboard=_TensorBoard(self._settings.logs)))

    def _start_tracker(self, module: str, tracker: Callable[..., Any], runs: dict[str, str]) -> None:
        if importlib.util.find_spec(module) is None:
            note(f"the image has no {module}: nothing is sent to it")
            return
        self._guarded(module, lambda: self._trackers.update({module: tracker(vars(self._settings), runs.get(module))}))

    def _end_trackers(self, *, succeeded: bool) -> None:
        for name, tracker in list(self._trackers.items()):
            self._guarded(name, lambda tracker=tracker: tracker.end(succeeded))

    def _tracked_runs(self) -> dict[str, str]:
        return {name: tracker.run for name, tracker in self._trackers.items() if tracker.run}

    def _guarded(self, name: str, action: Callable[[], object]) -> None:
        """A tracker that fails is done without: training costs more than its record."""
        try:
            action()
        except Exception as error:
            self._trackers.pop(name, None)
            note(f"{name}: {error}: training goes on without it")


def complete_checkpoints(folder: Path) -> list[Path]:
    """The complete checkpoints in a folder."""
    return [marker.parent for marker in folder.glob(f"step-*/{_COMPLETE}")]


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint in a folder, where there is one."""
    return max(complete_checkpoints(folder), default=None)


def about_checkpoint(checkpoint: Path) -> dict[str, Any]:
    """What is known of a checkpoint: its `step`, and the `settings` of the run that wrote it, by their names."""
    return json.loads((checkpoint / _ABOUT).read_text(encoding="utf-8"))


def say(**line: Any) -> None:
    """Prints one JSON object, for machines."""
    # With its end in one write: processes that share an output would mix their lines else.
    print(json.dumps(line) + "\n", end="", flush=True)


def note(text: str) -> None:
    """Tells people something, apart from what machines read."""
    print(text, file=sys.stderr, flush=True)


def _gpu_memory() -> dict[str, float]:
    """What PyTorch's tensors have taken at most of this process's GPU, where it has one."""
    torch = sys.modules.get("torch")
    if not torch or not torch.cuda.is_initialized():
        return {}
    return {"peakGpuMemoryGib": round(torch.cuda.max_memory_allocated() / 2**30, 2)}


def run_name() -> str:
    """The name of the run for trackers: RUN_NAME, or the name of the job whose pod this is."""
    return os.environ.get("RUN_NAME") or re.sub(r"-(master|chief|worker)-\d+$", "", socket.gethostname())


class _MLflow:
    def __init__(self, settings: dict[str, Any], run: str | None):
        self._mlflow = importlib.import_module("mlflow")
        if run is None and (experiment := os.environ.get("MLFLOW_EXPERIMENT_NAME")):
            # The client would do it by itself, but fail where several workers begin at once.
            self._mlflow.set_experiment(experiment)
        self.run = self._mlflow.start_run(run_id=run, run_name=None if run else run_name()).info.run_id
        if run is None:
            self._mlflow.log_params(settings)

    def log(self, step: int, numbers: dict[str, float]) -> None:
        self._mlflow.log_metrics(numbers, step=step)

    def keep(self) -> None:
        """Has nothing to keep: MLflow has it all."""

    def register(self, folder: Path, name: str, alias: str) -> None:
        """Makes the files of a folder the next version of a model."""
        self._mlflow.log_artifacts(str(folder), "model")
        # MLflow's `register_model` takes only what a flavour of its own has logged.
        client = self._mlflow.MlflowClient()
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        version = client.create_model_version(name, f"runs:/{self.run}/model", self.run).version
        if alias:
            client.set_registered_model_alias(name, alias, version)

    def end(self, succeeded: bool) -> None:
        self._mlflow.end_run("FINISHED" if succeeded else "FAILED")


class _WeightsAndBiases:
    def __init__(self, settings: dict[str, Any], run: str | None):
        self._wandb = importlib.import_module("wandb")
        self._run = self._wandb.init(id=run, resume="allow", name=run_name(), config=settings)
        self.run = self._run.id

    def log(self, step: int, numbers: dict[str, float]) -> None:
        self._run.log(numbers, step=step)

    def keep(self) -> None:
        """Has nothing to keep: Weights & Biases has it all."""

    def register(self, folder: Path, name: str, alias: str) -> None:
        """Makes the files of a folder the next version of an artifact."""
        artifact = self._wandb.Artifact(name, type="model")
        artifact.add_dir(str(folder))
        self._run.log_artifact(artifact, aliases=[alias] if alias else None).wait()

    def end(self, succeeded: bool) -> None:
        self._run.finish(exit_code=0 if succeeded else 1)


class _TensorBoard:
    """Writes numbers as TensorBoard reads them: whole, with each checkpoint.

    Its own package is in few images, and the format is small: records of an Event message of protocol buffers, each
    with its length and two checksums.
    """

    run = None

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self._kept = folder / f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        self._events = bytearray()
        self._write(_text(3, b"brain.Event:2"))

    def log(self, step: int, numbers: dict[str, float]) -> None:
        values = (_text(1, name.encode()) + b"\x15" + struct.pack("<f", number) for name, number in numbers.items())
        self._write(b"\x10" + _varint(step) + _text(5, b"".join(_text(1, value) for value in values)))

    def keep(self) -> None:
        """Writes what there is so far."""
        self._kept.write_bytes(self._events)

    def end(self, succeeded: bool) -> None:
        self.keep()

    def _write(self, content: bytes) -> None:
        event = b"\x09" + struct.pack("<d", time.time()) + content
        length = struct.pack("<Q", len(event))
        self._events += length + _checksum(length) + event + _checksum(event)


def _text(field: int, content: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    return bytes([number & 0x7F | 0x80]) + _varint(number >> 7) if number > 0x7F else bytes([number])


def _checksum(content: bytes) -> bytes:
    """CRC-32C, rotated and shifted, as TensorFlow's records have it."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _copy(source: Path, target: Path, last: str = "") -> None:
    """Copies files one after another, from beginning to end."""
    target.mkdir(parents=True, exist_ok=True)
    for file in sorted(source.rglob("*"), key=lambda file: file == source / last):
        if file.is_file():
            (target / file.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target / file.relative_to(source))


def _remove(checkpoint: Path) -> None:
    """Removes a checkpoint, the marker first: what is half removed must not count as complete."""
    try:
        (checkpoint / _COMPLETE).unlink(missing_ok=True)
        shutil.rmtree(checkpoint)
    except OSError as error:
        note(f"{checkpoint} stays: {error} (a mounted bucket needs the option allow-delete)")


def _folder(variable: str, default: str | None = None) -> Path | None:
    value = os.environ.get(variable) or default
    return Path(value) if value else None


def _registered(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][\w. -]{0,199}(@(?!(?i:v\d+|latest)$)[\w-]{1,255})?", text, re.ASCII):
        reason = "letters, digits, spaces and _.-, and after @ an alias, which is not latest or like v1"
        raise argparse.ArgumentTypeError(f"'{text}' given, must be a name of {reason}")
    return text


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number
