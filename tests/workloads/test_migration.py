"""The migration scripts convert small networks, compare them, and publish only what agrees with its original."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format

pytestmark = pytest.mark.workload(module="onnx2tf", group="workload-migration")

MIGRATION = Path(__file__).parents[2] / "blueprints" / "migration"
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Ended:
    """What a script did."""

    code: int
    lines: list[dict[str, Any]]
    errors: str

    def value(self, key: str) -> Any:
        """What the last line with this key says."""
        return [line[key] for line in self.lines if key in line][-1]


class Migration:
    """A blueprint's scripts, in the one folder in which a cluster has them."""

    def __init__(self, blueprint: str, folder: Path):
        self.folder = folder
        self.models = folder / "models"
        for file in (MIGRATION / "migration_run.py", MIGRATION / blueprint / "migrate.py"):
            shutil.copy(file, folder)

    def run(self, *arguments: str, modules: Path | None = None) -> Ended:
        """Runs the script; modules lie before those that are installed."""
        return self._python("migrate.py", *arguments, modules=modules)

    def python(self, program: str) -> Any:
        """Runs lines beside the script, and gives what they print last."""
        done = self._python("-c", program)
        assert done.code == 0, done.errors[-5000:]
        return done.lines[-1]

    def _python(self, *arguments: str, modules: Path | None = None) -> Ended:
        environment = {name: value for name, value in os.environ.items() if name != "CHECKPOINT_DIR"}
        environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
        environment |= {"PYTHONPATH": str(modules)} if modules else {}
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=900)
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{") and line.endswith("}")]
        return Ended(done.returncode, lines, done.stderr)


def published(run: Ended) -> str:
    assert run.code == 0, run.errors[-5000:]
    return run.value("published")


def check_report(version: Path, report: Path, comparisons: Sequence[str]) -> None:
    """It says what agreed, how well, and what each file is."""
    said = json.loads(report.read_text())
    assert said["tolerance"] == {"absolute": 1e-4, "relative": 1e-3}
    assert [each["of"] for each in said["comparisons"]] == list(comparisons)
    for comparison in said["comparisons"]:
        assert comparison["agrees"] is True
        assert [batch["size"] for batch in comparison["batches"]] == [1, 2, 8]
        for batch in comparison["batches"]:
            assert batch["outputs"]["scores"]["shape"] == [batch["size"], 10]
            assert batch["outputs"]["scores"]["maxAbsoluteDifference"] < TOLERANCE
    files = {str(file.relative_to(version)) for file in version.rglob("*") if file.is_file() and file != report}
    assert set(said["files"]) == files
    for name, facts in said["files"].items():
        content = (version / name).read_bytes()
        assert facts == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert {"onnx", "onnxruntime", "tensorflow"} <= set(said["packages"])


def last_written(folder: Path) -> str:
    return max((file for file in folder.rglob("*") if file.is_file()), key=lambda file: file.stat().st_mtime_ns).name


def check_configuration(file: Path, shape: list[int], labels: str = "") -> None:
    """Triton's own definition reads it."""
    model_config_pb2 = pytest.importorskip("tritonclient.grpc").model_config_pb2
    found = text_format.Parse(file.read_text(), model_config_pb2.ModelConfig())
    assert (found.name, found.backend, found.max_batch_size) == (file.parent.name, "onnxruntime", 8)
    ((given,), (scores,)) = found.input, found.output
    assert (given.name, given.data_type, list(given.dims)) == ("image", model_config_pb2.TYPE_FP32, shape)
    assert (scores.name, list(scores.dims), scores.label_filename) == ("scores", [10], labels)
    assert found.dynamic_batching.max_queue_delay_microseconds == 2000
    assert [group.count for group in found.instance_group] == [1]
    assert found.version_policy.latest.num_versions == 2
    ((warm_up,),) = (found.model_warmup,)
    assert list(warm_up.inputs["image"].dims) == shape


# The networks' outputs, by lines that have nothing of the scripts but the builder.
FROM_PYTORCH = """
import json, sys, numpy, torch, tensorflow, migrate
torch.manual_seed(5)
images = torch.randn(5, 1, 28, 28)
model = migrate.mnist()
model.load_state_dict(torch.load("state.pt", weights_only=True)["model"])
with torch.inference_mode():
    expected = model.eval()(images).numpy()
serve = tensorflow.saved_model.load({version!r}).signatures["serving_default"]
(given,) = serve.structured_input_signature[1].values()
images = images.permute({axes}).contiguous().numpy()
found = serve(image=tensorflow.constant(images))["scores"].numpy()
print(json.dumps({{"shape": given.shape.as_list(), "name": given.name, "gap": float(abs(found - expected).max())}}))
"""

FROM_KERAS = """
import json, os
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras, numpy, onnxruntime, tensorflow
images = numpy.random.default_rng(5).normal(size=(5, 32, 32, 3)).astype("float32")
expected = keras.saving.load_model("small.keras")(images)["scores"].numpy()
version, ordered = {version!r}, images.transpose({axes})
if os.path.exists(version + "/model.onnx"):
    session = onnxruntime.InferenceSession(version + "/model.onnx")
    (found,) = session.run(["scores"], {{"image": ordered}})
else:
    loaded = tensorflow.saved_model.load(version)
    found = loaded.signatures["serving_default"](image=tensorflow.constant(images))["scores"].numpy()
print(json.dumps({{"gap": float(abs(found - expected).max())}}))
"""


@pytest.fixture(scope="module")
def pytorch(tmp_path_factory: pytest.TempPathFactory) -> Migration:
    """With a checkpoint as blueprints/training/native-pytorch writes it."""
    migration = Migration("pytorch-to-tensorflow", tmp_path_factory.mktemp("pytorch"))
    save = (
        "import torch, migrate; torch.manual_seed(1); torch.save({'model': migrate.mnist().state_dict()}, 'state.pt')"
    )
    migration.python(f"{save}; print('{{}}')")
    return migration


@pytest.fixture(scope="module")
def saved_model(pytorch: Migration) -> Path:
    """Version 1."""
    run = pytorch.run("--builder", "mnist", "--weights", "state.pt", "--name", "mnist")
    assert published(run) == "models/mnist/1"
    return pytorch.models / "mnist" / "1"


@pytest.fixture(scope="module")
def tensorflow(tmp_path_factory: pytest.TempPathFactory) -> Migration:
    """With a model of Keras, and the same one as a SavedModel."""
    migration = Migration("tensorflow-to-onnx", tmp_path_factory.mktemp("tensorflow"))
    save = "model = migrate.small_network(); model.save('small.keras'); model.export('saved', verbose=False)"
    migration.python(f"import migrate; {save}; print('{{}}')")
    (migration.folder / "labels.txt").write_text("".join(f"class {number}\n" for number in range(10)))
    return migration


@pytest.fixture(scope="module")
def repository(tensorflow: Migration) -> Path:
    """A model repository with version 1."""
    run = tensorflow.run("--model", "small.keras", "--name", "small", "--labels", "labels.txt")
    assert published(run) == "models/small/1"
    return tensorflow.models / "small"


def test_tensorflow_serving_gets_what_pytorch_computes(pytorch: Migration, saved_model: Path) -> None:
    found = pytorch.python(FROM_PYTORCH.format(version=str(saved_model), axes=(0, 1, 2, 3)))
    assert (found["name"], found["shape"]) == ("image", [None, 1, 28, 28])
    assert found["gap"] < TOLERANCE


def test_a_saved_model_lies_as_tensorflow_serving_wants_it(saved_model: Path) -> None:
    assert saved_model.name.isdecimal()
    assert {each.name for each in saved_model.iterdir()} >= {"saved_model.pb", "variables", "assets.extra"}
    assert last_written(saved_model) == "saved_model.pb"
    comparisons = ("PyTorch to ONNX", "PyTorch to TensorFlow")
    check_report(saved_model, saved_model / "assets.extra" / "migration.json", comparisons)


def test_the_next_version_may_take_images_with_channels_last(pytorch: Migration, saved_model: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in saved_model.rglob("*")}
    run = pytorch.run("--builder", "mnist", "--weights", "state.pt", "--name", "mnist", "--layout", "nhwc")
    assert published(run) == "models/mnist/2"
    assert {file: file.stat().st_mtime_ns for file in saved_model.rglob("*")} == before
    found = pytorch.python(FROM_PYTORCH.format(version="models/mnist/2", axes=(0, 2, 3, 1)))
    assert found["shape"] == [None, 28, 28, 1]
    assert found["gap"] < TOLERANCE


def test_the_way_back_from_tensorflow_serving_is_a_repository_of_triton(pytorch: Migration, saved_model: Path) -> None:
    run = pytorch.run("--back", str(saved_model), "--output", "triton", "--name", "mnist")
    assert published(run) == "triton/mnist/1"
    repository = pytorch.folder / "triton" / "mnist"
    check_configuration(repository / "config.pbtxt", [1, 28, 28])
    check_report(repository / "1", repository / "1" / "migration.json", ["TensorFlow to ONNX"])


def test_a_network_that_answers_differently_each_time_is_refused(pytorch: Migration, tmp_path: Path) -> None:
    noisy = """
import torch
class Noisy(torch.nn.Module):
    def forward(self, images):
        return images.mean((2, 3)) + torch.rand_like(images[:, :, 0, 0])
batch = torch.export.Dim("batch")
exported = torch.export.export(Noisy(), (torch.randn(2, 3, 8, 8),), dynamic_shapes=({0: batch},))
torch.export.save(exported, "noisy.pt2")
print("{}")
"""
    pytorch.python(noisy)
    run = pytorch.run("--builder", "none", "--weights", "noisy.pt2", "--output", str(tmp_path))
    assert run.code == 1
    assert "nothing is published" in run.errors
    assert run.value("report")["comparisons"][0]["agrees"] is False
    assert list(tmp_path.iterdir()) == []


WRONG_CONVERTER = """
import sys, tensorflow
class Zeros(tensorflow.Module):
    @tensorflow.function(input_signature=[tensorflow.TensorSpec((None, 1, 28, 28), tensorflow.float32, name="image")])
    def serve(self, image):
        return {"output_0": tensorflow.zeros((tensorflow.shape(image)[0], 10))}
zeros = Zeros()
folder = sys.argv[sys.argv.index("-o") + 1]
tensorflow.saved_model.save(zeros, folder, signatures={"serving_default": zeros.serve})
"""


@pytest.mark.parametrize(
    ("converter", "says"),
    [
        (WRONG_CONVERTER, "PyTorch to TensorFlow: its outputs are not"),
        ("raise ValueError('no such op: Foo')", "no such op"),
    ],
    ids=["errs", "gives up"],
)
def test_a_converter_that_errs_publishes_nothing(pytorch: Migration, tmp_path: Path, converter: str, says: str) -> None:
    package = tmp_path / "modules" / "onnx2tf"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "onnx2tf.py").write_text(converter)
    arguments = ["--builder", "mnist", "--weights", "state.pt", "--output", str(tmp_path / "models")]
    run = pytorch.run(*arguments, modules=tmp_path / "modules")
    assert run.code == 1
    assert says in run.errors
    assert not (tmp_path / "models").exists()


def test_a_fixed_batch_and_weights_of_another_network_are_refused(pytorch: Migration, tmp_path: Path) -> None:
    fixed = "import torch, migrate; model = migrate.mnist().eval(); images = (torch.randn(2, 1, 28, 28),)"
    pytorch.python(f"{fixed}; torch.export.save(torch.export.export(model, images), 'fixed.pt2'); print('{{}}')")
    cases = {
        ("none", "fixed.pt2"): "whose first axis must be free",
        ("small-resnet", "state.pt"): "--weights: state.pt does not fit the builder",
        ("none", "state.pt"): "state.pt is no file of torch.export",
    }
    for (builder, weights), text in cases.items():
        run = pytorch.run("--builder", builder, "--weights", weights, "--output", str(tmp_path))
        assert run.code == 1
        assert text in run.errors
        assert "\nTraceback" not in f"\n{run.errors}"
    assert list(tmp_path.iterdir()) == []


def test_triton_gets_what_keras_computes(tensorflow: Migration, repository: Path) -> None:
    found = tensorflow.python(FROM_KERAS.format(version=str(repository / "1"), axes=(0, 1, 2, 3)))
    assert found["gap"] < TOLERANCE


def test_a_repository_lies_as_triton_wants_it(tensorflow: Migration, repository: Path) -> None:
    assert {each.name for each in repository.iterdir()} == {"config.pbtxt", "labels.txt", "1"}
    assert last_written(repository / "1") == "model.onnx"
    check_configuration(repository / "config.pbtxt", [32, 32, 3], labels="labels.txt")
    check_report(repository / "1", repository / "1" / "migration.json", ["TensorFlow to ONNX"])
    model = pytest.importorskip("onnx").load(repository / "1" / "model.onnx")
    assert [(each.domain, each.version) for each in model.opset_import if not each.domain] == [("", 18)]


def test_a_version_that_takes_something_else_is_refused(tensorflow: Migration, repository: Path) -> None:
    run = tensorflow.run("--model", "saved", "--name", "small", "--labels", "labels.txt", "--layout", "nchw")
    assert run.code == 1
    assert "config.pbtxt is there and says otherwise" in run.errors
    assert [each.name for each in repository.iterdir() if each.is_dir()] == ["1"]


def test_a_saved_model_may_take_images_with_channels_first(tensorflow: Migration, repository: Path) -> None:
    run = tensorflow.run("--model", "saved", "--name", "channels-first", "--layout", "nchw")
    version = tensorflow.folder / published(run)
    check_configuration(version.parent / "config.pbtxt", [3, 32, 32])
    found = tensorflow.python(FROM_KERAS.format(version=str(version), axes=(0, 3, 1, 2)))
    assert found["gap"] < TOLERANCE


def test_the_way_back_from_triton_is_a_saved_model(tensorflow: Migration, repository: Path) -> None:
    run = tensorflow.run("--back", str(repository / "1"), "--output", "serving", "--name", "small")
    version = tensorflow.folder / published(run)
    assert (version / "saved_model.pb").is_file()
    check_report(version, version / "assets.extra" / "migration.json", ["ONNX to TensorFlow"])
    found = tensorflow.python(FROM_KERAS.format(version=str(version), axes=(0, 1, 2, 3)))
    assert found["gap"] < TOLERANCE


def test_examples_of_ones_own_are_compared(tensorflow: Migration, tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    numpy.savez(tmp_path / "good.npz", image=numpy.ones((3, 32, 32, 3)))
    numpy.savez(tmp_path / "wrong.npz", image=numpy.ones((3, 28, 28, 1)))
    given = ("--output", str(tmp_path / "models"), "--examples")
    assert published(tensorflow.run(*given, str(tmp_path / "good.npz")))
    wrong = tensorflow.run(*given, str(tmp_path / "wrong.npz"))
    assert wrong.code == 1
    assert "--examples: image has the shape (28, 28, 1), must be (32, 32, 3)" in wrong.errors
