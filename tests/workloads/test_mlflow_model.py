"""What fetches a registered model does so from MLflow's own server, for a user of a team."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import eksml
from eksml.serving.scripts import mlflow_model
from workloads.model_servers import SERVERS, model_server
from workloads.scripts import TRAINING

pytestmark = pytest.mark.workload(module="boto3", group="test")

SCRIPT = Path(eksml.__file__).parent / "serving" / "scripts" / "mlflow_model.py"
PASSWORD, OF_THE_TEAM = "of this test only", "open-sesame-of-vision"
ONE, TWO = b"one" * 10**6, b"two"
# By model, way and version: what is registered.
MODELS = {
    "fraud/files/1/model.onnx": ONE,
    "fraud/files/1/MLmodel": b"flavors: {}",
    "fraud/files/2/model.onnx": TWO,
    "chat model/files/1/model/config.json": b"{}",
    "chat model/files/1/model/model safe+1.safetensors": bytes(range(256)),
    "chat model/files/1/components/tokenizer/tokenizer.json": b"[]",
    "net/logged/1/saved_model.pb": b"graph",
    "net/logged/1/variables/variables.index": b"i",
}


class Mlflow(NamedTuple):
    """An MLflow that runs."""

    url: str
    environment: dict[str, str]

    def ask(self, path: str, **body: str) -> None:
        """Has its API do something, for its administrator."""
        token = b64encode(f"admin:{PASSWORD}".encode()).decode()
        headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api/2.0/mlflow/{path}", json.dumps(body).encode(), headers)  # noqa: S310
        urllib.request.urlopen(request, timeout=60).close()  # noqa: S310


@pytest.fixture(scope="module")
def mlflow() -> Iterator[Mlflow]:
    admin = {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": PASSWORD}
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
        with model_server("mlflow", Path(folder), "/health", f"{folder}/mlflow") as url:
            running = Mlflow(url, {**os.environ, "MLFLOW_TRACKING_URI": url, **admin})
            running.ask("users/create", username="vision", password=OF_THE_TEAM)
            register(running, Path(folder) / "models")
            yield running


def register(mlflow: Mlflow, folder: Path) -> None:
    """The models, which MLflow's own client registers."""
    for path, content in MODELS.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    command = [*with_client(str(SERVERS / "mlflow_models.py")), str(folder)]
    subprocess.run(command, env=mlflow.environment, check=True, capture_output=True)


def with_client(script: str) -> list[str]:
    """The command of a program that has MLflow's own client."""
    command = ["uv", "run", "--quiet", "--no-project", "--isolated", "--python", sys.executable]
    return [*command, "--with-requirements", str(SERVERS / "mlflow.txt"), "python", script]


def run(mlflow: Mlflow, target: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The script, for a user of a team."""
    target.mkdir(exist_ok=True)
    user = {"MLFLOW_TRACKING_USERNAME": "vision", "MLFLOW_TRACKING_PASSWORD": OF_THE_TEAM, **environment}
    command = [sys.executable, str(SCRIPT), "--target", str(target), *words]
    return subprocess.run(command, env={**mlflow.environment, **user}, check=False, capture_output=True, text=True)


def fetched(mlflow: Mlflow, target: Path, *words: str) -> dict[str, bytes]:
    """The files that the script fetches."""
    done = run(mlflow, target, *words)
    assert done.returncode == 0, done.stderr
    files = (path for path in sorted(target.rglob("*")) if path.is_file())
    return {path.relative_to(target).as_posix(): path.read_bytes() for path in files}


def test_an_alias_that_moves_between_two_versions_is_followed(mlflow: Mlflow, tmp_path: Path) -> None:
    words = ["--model", "fraud", "--alias", "champion", "--mark", "model.onnx", "--folder", "fraud"]
    mlflow.ask("registered-models/alias", name="fraud", alias="champion", version="1")
    first: dict[str, Any] = {"fraud/1/model.onnx": ONE, "fraud/1/MLmodel": b"flavors: {}"}
    assert fetched(mlflow, tmp_path / "models", *words) == first
    mlflow.ask("registered-models/alias", name="fraud", alias="champion", version="2")
    assert fetched(mlflow, tmp_path / "models", *words) == {"fraud/2/model.onnx": TWO}
    mlflow.ask("registered-models/alias", name="fraud", alias="champion", version="1")
    assert fetched(mlflow, tmp_path / "models", *words) == first


def test_weights_and_tokenizer_of_transformers_come_into_one_folder(mlflow: Mlflow, tmp_path: Path) -> None:
    words = ["--model", "chat model", "--version", "1", "--mark", "config.json", "--beside", "components/*"]
    assert fetched(mlflow, tmp_path / "models", *words) == {
        "config.json": b"{}",
        "model safe+1.safetensors": bytes(range(256)),
        "tokenizer.json": b"[]",
    }


def test_a_model_that_mlflow_itself_packed_is_found_in_its_package(mlflow: Mlflow, tmp_path: Path) -> None:
    words = ["--model", "net", "--version", "1", "--mark", "saved_model.pb", "--folder", "net"]
    assert fetched(mlflow, tmp_path / "models", *words) == {
        "net/1/saved_model.pb": b"graph",
        "net/1/variables/variables.index": b"i",
    }


TRAIN = """
import training_run

def export(folder):
    (folder / "model.onnx").write_bytes(b"trained")

settings = training_run.arguments(__doc__, steps=4, learning_rate=0.1, exports=True).parse_args()
run = training_run.TrainingRun(settings)
run.resume(lambda folder: None)
for step in run.steps(export, mark="model.onnx"):
    run.step_done(step, 1 / step, lambda folder: None)
"""


def test_what_a_training_registers_is_what_a_server_fetches(mlflow: Mlflow, tmp_path: Path) -> None:
    shutil.copy(TRAINING / "training_run.py", tmp_path)
    (tmp_path / "train.py").write_text(TRAIN)
    user = {"MLFLOW_TRACKING_USERNAME": "vision", "MLFLOW_TRACKING_PASSWORD": OF_THE_TEAM}
    environment = {**mlflow.environment, **user, "MLFLOW_EXPERIMENT_NAME": "vision/resnet"}
    for steps in ("4", "6"):
        command = [*with_client("train.py"), "--register", "resnet@champion", "--steps", steps]
        done = subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    words = ["--model", "resnet", "--mark", "model.onnx", "--folder", "resnet"]
    assert fetched(mlflow, tmp_path / "models", *words, "--alias", "champion") == {"resnet/2/model.onnx": b"trained"}
    assert fetched(mlflow, tmp_path / "models", *words, "--version", "1") == {"resnet/1/model.onnx": b"trained"}


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({"MLFLOW_TRACKING_PASSWORD": "another"}, "MLflow does not let the user vision read alias challenger"),
        ({"MLFLOW_TRACKING_USERNAME": ""}, "MLflow lets nobody without a user read alias challenger"),
        ({}, "MLflow refuses alias challenger of the registered model fraud: Registered model alias challenger not"),
    ],
)
def test_what_is_wrong_is_said(mlflow: Mlflow, tmp_path: Path, environment: dict[str, str], text: str) -> None:
    done = run(mlflow, tmp_path, "--model", "fraud", "--alias", "challenger", "--mark", "*", **environment)
    assert done.returncode == mlflow_model.NEVER_WORTH_ANOTHER_TRY
    assert text in done.stderr
    assert OF_THE_TEAM not in done.stderr
