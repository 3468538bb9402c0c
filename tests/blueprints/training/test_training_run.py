"""What all training scripts share: settings, reports, checkpoints, interruptions."""

import importlib.util
import json
import os
import shutil
import signal
import struct
from argparse import Namespace
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

TRAINING = Path(__file__).parents[3] / "blueprints" / "training"


def loaded() -> Any:
    """The module, which lies beside each script on a cluster and is part of no package."""
    spec = importlib.util.spec_from_file_location("training_run", TRAINING / "training_run.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


training_run = loaded()
TrainingRun, arguments = training_run.TrainingRun, training_run.arguments


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    of_trackers = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "WANDB_API_KEY", "WANDB_MODE")
    for variable in ("DATA_DIR", "CHECKPOINT_DIR", "LOG_DIR", *of_trackers):
        monkeypatch.delenv(variable, raising=False)
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def settings(*given: str) -> Namespace:
    defaults = ["--steps=10", "--batch-size=4", "--report-every=1", "--checkpoint-every=2"]
    parser = arguments("A script.", steps=5, batch_size=8, learning_rate=0.1, exports=True)
    return parser.parse_args([*defaults, *given])


def save(folder: Path) -> None:
    (folder / "part").mkdir()
    (folder / "part" / "weights").write_text("1 2 3")


def export(folder: Path) -> None:
    (folder / "model.onnx").write_text("a model")
    (folder / "weights").write_text("1 2 3")


def train_and_export(run: Any) -> None:
    """Trains to the end, which is a model."""
    run.resume(lambda folder: None)
    for step in run.steps(export, mark="model.onnx"):
        run.step_done(step, 1 / step, save)


def train(run: Any, last: int | None = None) -> Any:
    """Trains, to the end or until a step is done, with a loss of 1 over the step."""
    run.resume(lambda folder: (folder / "part" / "weights").read_text())
    for step in run.steps():
        run.step_done(step, 1 / step, save)
        if step == last:
            break
    return run


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def steps_of_checkpoints() -> list[int]:
    return sorted(int(folder.name.removeprefix("step-")) for folder in Path("checkpoints").glob("step-*"))


def test_it_says_what_happens_a_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    train(TrainingRun(settings("--steps", "3")))
    assert said(capsys) == [
        {"step": 1, "loss": 1.0},
        {"step": 2, "loss": 0.5},
        {"checkpoint": 2},
        {"step": 3, "loss": 0.333333},
        {"checkpoint": 3},
        {"finished": 3},
    ]


def test_only_process_0_speaks(capsys: pytest.CaptureFixture[str]) -> None:
    train(TrainingRun(settings("--steps", "3"), process=1))
    assert capsys.readouterr().out == ""


def test_losses_are_reported_as_often_as_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    train(TrainingRun(settings("--report-every", "4", "--checkpoint-every", "100")))
    assert [line["step"] for line in said(capsys) if "step" in line] == [4, 8, 10]


def test_it_goes_on_where_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    train(TrainingRun(settings()), last=5)
    capsys.readouterr()
    train(TrainingRun(settings()))
    lines = said(capsys)
    assert lines[:2] == [{"resumedFrom": 4}, {"step": 5, "loss": 0.2}]
    assert lines[-1] == {"finished": 10}


def test_a_finished_training_has_nothing_left_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    train(TrainingRun(settings()))
    capsys.readouterr()
    train(TrainingRun(settings()))
    assert said(capsys) == [{"resumedFrom": 10}, {"finished": 10}]


def test_the_last_three_checkpoints_are_kept() -> None:
    train(TrainingRun(settings()))
    assert steps_of_checkpoints() == [6, 8, 10]


def test_a_checkpoint_without_its_marker_does_not_count_and_is_removed(capsys: pytest.CaptureFixture[str]) -> None:
    train(TrainingRun(settings()), last=4)
    (Path("checkpoints") / "step-000000004" / "complete").unlink()
    capsys.readouterr()
    TrainingRun(settings()).resume(lambda folder: None)
    assert said(capsys) == [{"resumedFrom": 2}]
    assert steps_of_checkpoints() == [2]


def test_the_marker_is_written_last(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    write = Path.write_text
    monkeypatch.setattr(shutil, "copyfile", lambda source, target: written.append(Path(target).name))
    monkeypatch.setattr(
        Path, "write_text", lambda path, *given, **more: written.append(path.name) or write(path, *given, **more)
    )
    train(TrainingRun(settings()), last=2)
    assert written == ["weights", "weights", "run.json", "complete"]


def test_a_training_ends_with_a_model_in_a_folder_of_its_last_step(capsys: pytest.CaptureFixture[str]) -> None:
    train_and_export(TrainingRun(settings()))
    assert said(capsys)[-3:] == [{"checkpoint": 10}, {"exported": 10}, {"finished": 10}]
    assert {file.name for file in Path("checkpoints/model/10").iterdir()} == {"model.onnx", "weights"}


def test_a_longer_training_makes_a_version_of_its_own() -> None:
    train_and_export(TrainingRun(settings()))
    train_and_export(TrainingRun(settings("--steps", "12")))
    assert {folder.name for folder in Path("checkpoints/model").iterdir()} == {"10", "12"}


def test_a_model_that_is_there_is_not_written_again(capsys: pytest.CaptureFixture[str]) -> None:
    train_and_export(TrainingRun(settings()))
    capsys.readouterr()
    train_and_export(TrainingRun(settings()))
    assert said(capsys) == [{"resumedFrom": 10}, {"finished": 10}]


def test_a_run_that_was_killed_before_its_model_was_whole_writes_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    train(TrainingRun(settings()))
    Path("checkpoints/model/10").mkdir(parents=True)
    Path("checkpoints/model/10/weights").write_text("1")
    capsys.readouterr()
    train_and_export(TrainingRun(settings()))
    assert said(capsys) == [{"resumedFrom": 10}, {"exported": 10}, {"finished": 10}]
    assert Path("checkpoints/model/10/weights").read_text() == "1 2 3"


def test_the_file_by_which_a_server_knows_the_model_is_written_last(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    copyfile = shutil.copyfile
    monkeypatch.setattr(
        shutil, "copyfile", lambda source, target: written.append(Path(target).name) or copyfile(source, target)
    )
    train_and_export(TrainingRun(settings()))
    assert written[-2:] == ["weights", "model.onnx"]


@pytest.mark.parametrize(("sharded", "taking_part"), [(False, 0), (True, 1)])
def test_all_processes_take_part_in_the_model_of_a_sharded_training_and_process_0_writes_it(
    sharded: bool, taking_part: int
) -> None:
    parts = []
    run = TrainingRun(settings("--steps", "1"), process=1, sharded=sharded)
    list(run.steps(parts.append, mark="model.onnx"))
    assert len(parts) == taking_part
    assert not Path("checkpoints/model").exists()


def test_a_folder_that_is_not_shared_is_refused_where_the_processes_would_part() -> None:
    train(TrainingRun(settings()), last=4)

    def mean(numbers: list[float]) -> list[float]:
        """Of this process, which sees step 4, and of another one, which sees none."""
        return [number / 2 for number in numbers]

    with pytest.raises(
        SystemExit, match="--checkpoints: checkpoints given, must be shared: not all processes see step 4"
    ):
        TrainingRun(settings(), mean=mean).resume(lambda folder: None)
    assert steps_of_checkpoints() == [2, 4]


def test_no_process_ends_before_the_checkpoint_is_complete() -> None:
    complete = []

    def mean(numbers: list[float]) -> list[float]:
        complete.append((Path("checkpoints") / "step-000000002" / "complete").exists())
        return numbers

    TrainingRun(settings(), mean=mean).step_done(2, 1.0, save)
    assert complete[-1]


def test_a_checkpoint_that_cannot_be_written_does_not_count() -> None:
    def fail(folder: Path) -> None:
        save(folder)
        raise OSError("no space left")

    run = TrainingRun(settings())
    with pytest.raises(OSError, match="no space left"):
        run.step_done(2, 1.0, fail)
    assert training_run.complete_checkpoints(Path("checkpoints")) == []


def test_nothing_is_renamed_or_opened_twice_where_checkpoints_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("a mounted bucket does not do that")

    for name in ("rename", "replace", "link", "symlink", "truncate"):
        monkeypatch.setattr(os, name, refuse)
    train(TrainingRun(settings()))
    assert steps_of_checkpoints() == [6, 8, 10]


def test_a_checkpoint_that_cannot_be_removed_stays_and_is_told_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError("operation not permitted")

    monkeypatch.setattr(shutil, "rmtree", refuse)
    monkeypatch.setattr(training_run.tempfile, "TemporaryDirectory", lambda: KeptFolder())
    train(TrainingRun(settings()))
    assert "step-000000002 stays: operation not permitted" in capsys.readouterr().err


class KeptFolder:
    """A temporary folder that nobody has to remove."""

    def __enter__(self) -> str:
        Path("local").mkdir(exist_ok=True)
        folder = Path("local") / str(len(list(Path("local").iterdir())))
        folder.mkdir()
        return str(folder)

    def __exit__(self, *_: object) -> None:
        pass


def test_the_configuration_lies_in_each_checkpoint() -> None:
    train(TrainingRun(settings("--seed", "7")), last=2)
    about = json.loads((Path("checkpoints") / "step-000000002" / "run.json").read_text())
    assert about["step"] == 2
    assert about["settings"]["seed"] == 7
    assert about["settings"]["checkpoints"] == "checkpoints"


def test_every_process_writes_its_part_of_a_sharded_checkpoint() -> None:
    def save_part(process: int) -> Any:
        return lambda folder: (folder / f"part-{process}").write_text("")

    for process in (1, 0):
        TrainingRun(settings(), process=process, sharded=True).step_done(2, 1.0, save_part(process))
    files = {file.name for file in (Path("checkpoints") / "step-000000002").iterdir()}
    assert files == {"part-0", "part-1", "run.json", "complete"}


def test_only_process_0_writes_a_checkpoint_that_is_not_sharded() -> None:
    TrainingRun(settings(), process=1).step_done(2, 1.0, save)
    assert steps_of_checkpoints() == []


def evaluate() -> dict[str, float]:
    return {"heldOutLoss": 0.7, "heldOutAccuracy": 0.9}


def train_and_evaluate(run: Any) -> None:
    """Trains to the end, and evaluates with each checkpoint."""
    run.resume(lambda folder: None)
    for step in run.steps():
        run.step_done(step, 1 / step, save, evaluate)


def test_what_is_held_out_is_evaluated_with_each_checkpoint(capsys: pytest.CaptureFixture[str]) -> None:
    train_and_evaluate(TrainingRun(settings("--steps", "3")))
    found = {"heldOutLoss": 0.7, "heldOutAccuracy": 0.9}
    assert [line for line in said(capsys) if "step" not in line] == [
        {"evaluated": 2, **found},
        {"checkpoint": 2},
        {"evaluated": 3, **found},
        {"checkpoint": 3},
        {"finished": 3},
    ]


def test_what_processes_find_is_told_as_their_mean(capsys: pytest.CaptureFixture[str]) -> None:
    def mean(numbers: list[float]) -> list[float]:
        """Of this process, and of another one that finds and sees nothing."""
        return [number / 2 for number in numbers]

    TrainingRun(settings(), mean=mean).step_done(2, 1.0, save, evaluate)
    assert {"evaluated": 2, "heldOutLoss": 0.35, "heldOutAccuracy": 0.45} in said(capsys)


def test_every_process_evaluates_as_many_examples_and_each_another_one() -> None:
    parts = [list(range(20))[TrainingRun(settings(), process=process).share(20, 3)] for process in range(3)]
    assert [len(part) for part in parts] == [6, 6, 6]
    assert sorted(example for part in parts for example in part) == list(range(18))


def test_less_held_out_than_there_are_processes_is_refused() -> None:
    with pytest.raises(SystemExit, match="--data: 2 examples are held out, must be at least 3, one a process"):
        TrainingRun(settings()).share(2, 3)


def test_an_interrupted_training_does_not_take_its_time_to_evaluate(capsys: pytest.CaptureFixture[str]) -> None:
    run = TrainingRun(settings())
    run.interrupt()
    with pytest.raises(SystemExit):
        run.step_done(2, 0.5, save, evaluate)
    assert said(capsys) == [{"step": 2, "loss": 0.5}, {"checkpoint": 2}]


def test_tensorboard_has_what_was_found_with_the_checkpoint(tmp_path: Path) -> None:
    TrainingRun(settings(), process=1).step_done(2, 1.0, save, evaluate)
    assert not Path("logs").exists()
    run = TrainingRun(settings())
    run.resume(lambda folder: None)
    run.step_done(2, 1.0, save, evaluate)
    *_, found = events(Path("logs"))
    values = [
        b"\x0a" + bytes([len(name)]) + name + b"\x15" + struct.pack("<f", number)
        for name, number in ((b"heldOutLoss", 0.7), (b"heldOutAccuracy", 0.9))
    ]
    summary = b"".join(b"\x0a" + bytes([len(value)]) + value for value in values)
    assert found[9:] == b"\x10\x02\x2a" + bytes([len(summary)]) + summary


@pytest.mark.usefixtures("trackers")
@pytest.mark.parametrize(("variable", "tracker"), [("MLFLOW_TRACKING_URI", "mlflow"), ("WANDB_MODE", "wandb")])
def test_trackers_get_what_was_found(monkeypatch: pytest.MonkeyPatch, variable: str, tracker: str) -> None:
    monkeypatch.setenv(variable, "here")
    train_and_evaluate(TrainingRun(settings("--steps", "2")))
    assert calls(tracker)[-2] == ["heldOutLoss", 0.7, "heldOutAccuracy", 0.9, 2]


def test_an_interrupted_training_writes_a_checkpoint_and_ends_to_be_started_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = train(TrainingRun(settings("--checkpoint-every", "100")), last=3)
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        run.step_done(4, 0.25, save)
    assert ended.value.code == 143
    assert said(capsys)[-2:] == [{"step": 4, "loss": 0.25}, {"checkpoint": 4}]


def test_the_interruption_of_one_process_is_that_of_all() -> None:
    def mean(numbers: list[float]) -> list[float]:
        return [numbers[0], 0.5] if len(numbers) == 2 else numbers

    with pytest.raises(SystemExit) as ended:
        TrainingRun(settings("--checkpoint-every", "100"), mean=mean).step_done(1, 1.0, save)
    assert ended.value.code == 143
    assert steps_of_checkpoints() == [1]


def test_a_loss_that_is_no_number_ends_the_training_before_it_is_saved() -> None:
    with pytest.raises(SystemExit, match="the loss is nan at step 2: a lower --learning-rate may help"):
        TrainingRun(settings()).step_done(2, float("nan"), save)
    assert steps_of_checkpoints() == []


def batches(run: Any, count: int, examples: int = 20, processes: int = 1) -> list[list[int]]:
    return list(islice(run.batches(examples, processes), count))


def test_every_epoch_has_each_example_once_and_an_order_of_its_own() -> None:
    drawn = batches(TrainingRun(settings()), 10)
    first, second = ([example for batch in half for example in batch] for half in (drawn[:5], drawn[5:]))
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second


def test_processes_take_different_examples() -> None:
    parts = [batches(TrainingRun(settings(), process=process), 2, processes=2) for process in (0, 1)]
    assert len({example for part in parts for batch in part for example in batch}) == 16


def test_processes_that_share_their_batches_take_the_same() -> None:
    assert batches(TrainingRun(settings(), process=1), 2) == batches(TrainingRun(settings()), 2)


def test_a_resumed_training_goes_on_with_the_same_examples() -> None:
    whole = batches(TrainingRun(settings()), 10)
    train(TrainingRun(settings()), last=7)
    resumed = TrainingRun(settings())
    resumed.resume(lambda folder: None)
    assert batches(resumed, 4) == whole[6:]


def test_another_seed_gives_another_order() -> None:
    assert batches(TrainingRun(settings("--seed", "1")), 5) != batches(TrainingRun(settings()), 5)


def test_a_batch_larger_than_the_data_set_is_refused() -> None:
    with pytest.raises(SystemExit, match="--batch-size: 4 given, at most 3 for 6 examples"):
        batches(TrainingRun(settings()), 1, examples=6, processes=2)


def test_folders_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings().data is None
    assert (settings().checkpoints, settings().logs) == (Path("checkpoints"), Path("logs"))
    monkeypatch.setenv("DATA_DIR", "/data")
    monkeypatch.setenv("CHECKPOINT_DIR", "/checkpoints")
    monkeypatch.setenv("LOG_DIR", "/logs")
    given = settings("--logs", "/mine")
    assert (given.data, given.checkpoints, given.logs) == (Path("/data"), Path("/checkpoints"), Path("/mine"))


@pytest.mark.parametrize("wrong", ["--steps 0", "--batch-size -1", "--precision fp8", "--step 4"])
def test_a_setting_that_cannot_be_is_refused(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        settings(*wrong.split())
    assert ended.value.code == 2
    assert wrong.split()[0] in capsys.readouterr().err


def test_a_script_without_batches_has_no_setting_for_them() -> None:
    with pytest.raises(SystemExit):
        arguments("A script.", steps=5, learning_rate=0.1).parse_args(["--batch-size", "4"])


def events(folder: Path) -> list[bytes]:
    """What TensorBoard's records hold, in the one file of a folder."""
    (file,) = folder.iterdir()
    content, found = file.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        assert content[8:12] == training_run._checksum(content[:8])
        assert content[12 + length : 16 + length] == training_run._checksum(content[12 : 12 + length])
        found.append(content[12 : 12 + length])
        content = content[16 + length :]
    return found


def test_losses_are_written_for_tensorboard() -> None:
    train(TrainingRun(settings("--steps", "300", "--report-every", "150", "--checkpoint-every", "300")))
    first, *losses = events(Path("logs"))
    assert first.endswith(b"\x1a\x0dbrain.Event:2")
    value = b"\x0a\x0b\x0a\x04loss\x15" + struct.pack("<f", 1 / 300)
    assert [record[9:] for record in losses][1] == b"\x10\xac\x02\x2a" + bytes([len(value)]) + value


def test_the_checksum_is_the_one_that_tensorboard_knows() -> None:
    # CRC-32C of "123456789" is 0xE3069283, before it is masked.
    masked = ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert training_run._checksum(b"123456789") == struct.pack("<I", masked)


TRACKERS = {
    "mlflow": """
import json, types
def note(*what):
    with open("mlflow-calls", "a") as file:
        file.write(json.dumps(what) + "\\n")
def set_experiment(name): note("experiment", name)
def start_run(run_id=None, run_name=None):
    note("start", run_id, run_name)
    return types.SimpleNamespace(info=types.SimpleNamespace(run_id=run_id or "the-run"))
def log_params(settings): note("settings", settings["steps"])
def log_metrics(metrics, step): note(*[part for metric in metrics.items() for part in metric], step)
def end_run(status): note("end", status)
def log_artifacts(folder, path): note("artifacts", folder, path)
class MlflowClient:
    def search_registered_models(self, filter_string): return []
    def create_registered_model(self, name): note("model", name)
    def create_model_version(self, name, source, run_id):
        note("version", name, source, run_id)
        return types.SimpleNamespace(version="7")
    def set_registered_model_alias(self, name, alias, version): note("alias", name, alias, version)
""",
    "wandb": """
import json
class Run:
    id = "the-run"
    def log(self, values, step): note(*[part for value in values.items() for part in value], step)
    def finish(self, exit_code): note("end", exit_code)
    def log_artifact(self, artifact, aliases):
        note("artifact", *artifact.what, aliases)
        return self
    def wait(self): note("wait")
class Artifact:
    def __init__(self, name, type): self.what = [name, type]
    def add_dir(self, folder): self.what.append(folder)
def note(*what):
    with open("wandb-calls", "a") as file:
        file.write(json.dumps(what) + "\\n")
def init(id, resume, name, config):
    note("start", id, resume, name, config["steps"])
    return Run()
""",
}


@pytest.fixture
def trackers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for the two clients, which write down how they are called."""
    for name, source in TRACKERS.items():
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.delitem(training_run.sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("RUN_NAME", "night")


def calls(tracker: str) -> list[list[Any]]:
    return [json.loads(line) for line in Path(f"{tracker}-calls").read_text().splitlines()]


@pytest.mark.usefixtures("trackers")
def test_mlflow_gets_settings_and_losses_and_a_resumed_run_is_the_same_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    train(TrainingRun(settings()), last=3)
    assert calls("mlflow")[:3] == [["start", None, "night"], ["settings", 10], ["loss", 1.0, 1]]
    train(TrainingRun(settings("--steps", "3")))
    assert calls("mlflow")[5:] == [["start", "the-run", None], ["loss", pytest.approx(1 / 3), 3], ["end", "FINISHED"]]


@pytest.mark.usefixtures("trackers")
def test_a_new_run_belongs_to_the_experiment_of_its_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "vision/resnet")
    train(TrainingRun(settings()), last=3)
    assert calls("mlflow")[:2] == [["experiment", "vision/resnet"], ["start", None, "night"]]
    train(TrainingRun(settings("--steps", "3")))
    assert [call[0] for call in calls("mlflow")].count("experiment") == 1


@pytest.mark.usefixtures("trackers")
def test_weights_and_biases_gets_settings_and_losses_and_a_resumed_run_is_the_same_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    train(TrainingRun(settings()), last=3)
    assert calls("wandb")[:2] == [["start", None, "allow", "night", 10], ["loss", 1.0, 1]]
    train(TrainingRun(settings("--steps", "3")))
    assert calls("wandb")[4:] == [
        ["start", "the-run", "allow", "night", 3],
        ["loss", pytest.approx(1 / 3), 3],
        ["end", 0],
    ]


@pytest.mark.usefixtures("trackers")
def test_a_model_is_registered_with_mlflow_and_gets_its_alias(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    train_and_export(TrainingRun(settings("--register", "resnet@champion")))
    assert calls("mlflow")[-5:] == [
        ["artifacts", "checkpoints/model/10", "model"],
        ["model", "resnet"],
        ["version", "resnet", "runs:/the-run/model", "the-run"],
        ["alias", "resnet", "champion", "7"],
        ["end", "FINISHED"],
    ]
    assert said(capsys)[-2:] == [{"registered": "resnet@champion"}, {"finished": 10}]


@pytest.mark.usefixtures("trackers")
def test_a_finished_training_that_runs_again_leaves_the_alias_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    for model in ("resnet@champion", "resnet@champion", "resnet@challenger"):
        train_and_export(TrainingRun(settings("--register", model)))
    aliases = [call for call in calls("mlflow") if call[0] == "alias"]
    assert aliases == [["alias", "resnet", "champion", "7"], ["alias", "resnet", "challenger", "7"]]


@pytest.mark.usefixtures("trackers")
def test_a_model_is_an_artifact_of_weights_and_biases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    train_and_export(TrainingRun(settings("--register", "resnet")))
    assert calls("wandb")[-3:] == [["artifact", "resnet", "model", "checkpoints/model/10", None], ["wait"], ["end", 0]]


@pytest.mark.usefixtures("trackers")
def test_nothing_is_registered_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    train_and_export(TrainingRun(settings()))
    assert {call[0] for call in calls("mlflow")} == {"start", "settings", "loss", "end"}


def test_a_model_that_cannot_be_registered_is_refused_before_the_training() -> None:
    with pytest.raises(SystemExit, match="--register: resnet given, but there is no MLflow and no Weights & Biases"):
        train_and_export(TrainingRun(settings("--register", "resnet")))
    assert not Path("checkpoints").exists()


@pytest.mark.usefixtures("trackers")
def test_a_registry_that_fails_at_the_end_is_asked_again_by_the_next_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    works = TRACKERS["mlflow"]
    (tmp_path / "mlflow.py").write_text(works.replace('note("version", name', '1 / 0; note("version", name'))
    with pytest.raises(ZeroDivisionError):
        train_and_export(TrainingRun(settings("--register", "resnet")))
    assert ["end", "FINISHED"] not in calls("mlflow")
    (tmp_path / "mlflow.py").write_text(works)
    monkeypatch.delitem(training_run.sys.modules, "mlflow")
    train_and_export(TrainingRun(settings("--register", "resnet")))
    assert [call[0] for call in calls("mlflow")[-3:]] == ["model", "version", "end"]


@pytest.mark.parametrize("wrong", ["", "@champion", "a/b", "resnet@", "resnet@latest", "resnet@V2", "resnet@a b"])
def test_a_name_that_no_server_could_ask_for_is_refused(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        settings("--register", wrong)
    assert f"'{wrong}' given, must be a name of letters" in capsys.readouterr().err


def test_a_script_without_a_model_has_no_setting_to_register_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments("A script.", steps=5, learning_rate=0.1).parse_args(["--register", "resnet"])
    assert "unrecognized arguments: --register resnet" in capsys.readouterr().err


@pytest.mark.usefixtures("trackers")
def test_no_tracker_is_asked_unless_the_environment_says_so() -> None:
    train(TrainingRun(settings()), last=3)
    assert not Path("mlflow-calls").exists()
    assert not Path("wandb-calls").exists()


@pytest.mark.usefixtures("trackers")
def test_an_interruption_is_no_success_for_a_tracker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    run = train(TrainingRun(settings()), last=1)
    run.interrupt()
    with pytest.raises(SystemExit):
        run.step_done(2, 0.5, save)
    assert calls("mlflow")[-1] == ["end", "FAILED"]


def test_a_tracker_that_the_image_lacks_is_told_of_and_done_without(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    monkeypatch.setattr(training_run.importlib.util, "find_spec", lambda name: None)
    train(TrainingRun(settings()))
    assert capsys.readouterr().err == "the image has no mlflow: nothing is sent to it\n"


@pytest.mark.usefixtures("trackers")
def test_a_tracker_that_fails_does_not_end_the_training(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    broken = TRACKERS["mlflow"].replace("def log_metrics(metrics, step): ", "def log_metrics(metrics, step): 1 / 0; ")
    (tmp_path / "mlflow.py").write_text(broken)
    train(TrainingRun(settings()))
    printed = capsys.readouterr()
    assert printed.err == "mlflow: division by zero: training goes on without it\n"
    assert '{"finished": 10}' in printed.out


def test_the_name_of_a_run_is_given_or_that_of_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUN_NAME", raising=False)
    monkeypatch.setattr(training_run.socket, "gethostname", lambda: "resnet-worker-12")
    assert training_run.run_name() == "resnet"
    monkeypatch.setenv("RUN_NAME", "night")
    assert training_run.run_name() == "night"


def test_a_report_says_how_many_examples_all_processes_took_in_a_second(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([100.0, 102.0, 102.0, 103.0, 103.0])
    monkeypatch.setattr(training_run.time, "monotonic", lambda: next(clock))
    run = TrainingRun(settings("--steps", "100", "--report-every", "5", "--checkpoint-every", "1000"))
    batches(run, 1, processes=2)
    for step in (5, 10, 15):
        run.step_done(step, 1.0, save)
    assert [line.get("examplesPerSecond") for line in said(capsys)] == [None, 20.0, 40.0]


def test_a_report_says_how_much_of_its_gpu_pytorch_has_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cuda = SimpleNamespace(is_initialized=lambda: True, max_memory_allocated=lambda: 3 * 2**29)
    monkeypatch.setitem(training_run.sys.modules, "torch", SimpleNamespace(cuda=cuda))
    TrainingRun(settings()).report(1, 0.5)
    cuda.is_initialized = lambda: False
    TrainingRun(settings()).report(2, 0.5)
    assert said(capsys) == [{"step": 1, "loss": 0.5, "peakGpuMemoryGib": 1.5}, {"step": 2, "loss": 0.5}]


def test_every_script_has_the_same_few_lines_at_its_end() -> None:
    scripts = list(TRAINING.glob("*/train.py"))
    assert len(scripts) == 13
    for script in scripts:
        assert script.read_text().endswith('if __name__ == "__main__":\n    main()\n'), script
