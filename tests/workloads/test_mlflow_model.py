"""What fetches a registered model does so from MLflow's own server, for a user of a team."""

import os
import subprocess
import sys
import tempfile
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import eksml
from eksml.serving.scripts import mlflow_model
from workloads.model_servers import SERVERS, model_server

pytestmark = pytest.mark.workload(module="boto3", group="test")

SCRIPT = Path(eksml.__file__).parent / "serving" / "scripts" / "mlflow_model.py"
PASSWORD = "of this test only"


class Mlflow(NamedTuple):
    """An MLflow that runs."""

    url: str
    environment: dict[str, str]


@pytest.fixture(scope="module")
def server() -> Iterator[Mlflow]:
    admin = {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": PASSWORD}
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
        with model_server("mlflow", Path(folder), "/health", f"{folder}/mlflow") as url:
            token = b64encode(f"admin:{PASSWORD}".encode()).decode()
            headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
            body = b'{"username": "vision", "password": "open-sesame-of-vision"}'
            request = urllib.request.Request(f"{url}/api/2.0/mlflow/users/create", body, headers)  # noqa: S310
            urllib.request.urlopen(request, timeout=60).close()  # noqa: S310
            yield Mlflow(url, {**os.environ, "MLFLOW_TRACKING_URI": url, **admin})


def register(server: Mlflow, folder: Path, files: dict[str, bytes], model: str, way: str) -> int:
    """A version of a model with these files, which MLflow's own client registers."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    command = ["uv", "run", "--quiet", "--no-project", "--isolated", "--python", sys.executable]
    command += ["--with-requirements", str(SERVERS / "mlflow.txt"), "python", str(SERVERS / "mlflow_models.py")]
    words = [*command, model, str(folder), "champion", way]
    done = subprocess.run(words, env=server.environment, check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1])


def fetched(server: Mlflow, target: Path, model: str, *words: str) -> dict[str, bytes]:
    """The files that the script fetches for a user who may read and no more."""
    target.mkdir(exist_ok=True)
    user = {"MLFLOW_TRACKING_USERNAME": "vision", "MLFLOW_TRACKING_PASSWORD": "open-sesame-of-vision"}
    command = [sys.executable, str(SCRIPT), "--model", model, "--alias", "champion", "--target", str(target), *words]
    done = subprocess.run(command, env={**server.environment, **user}, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    files = (path for path in sorted(target.rglob("*")) if path.is_file())
    return {path.relative_to(target).as_posix(): path.read_bytes() for path in files}


def test_an_alias_that_moves_between_two_versions_is_followed(server: Mlflow, tmp_path: Path) -> None:
    words = ["--mark", "model.onnx", "--folder", "fraud"]
    first = register(
        server, tmp_path / "1", {"model.onnx": b"one" * 10**6, "MLmodel": b"flavors: {}"}, "fraud", "files"
    )
    assert fetched(server, tmp_path / "models", "fraud", *words) == {
        f"fraud/{first}/model.onnx": b"one" * 10**6,
        f"fraud/{first}/MLmodel": b"flavors: {}",
    }
    second = register(server, tmp_path / "2", {"model.onnx": b"two"}, "fraud", "files")
    assert second == first + 1
    assert fetched(server, tmp_path / "models", "fraud", *words) == {f"fraud/{second}/model.onnx": b"two"}


def test_weights_and_tokenizer_of_transformers_come_into_one_folder(server: Mlflow, tmp_path: Path) -> None:
    files = {
        "model/config.json": b"{}",
        "model/model safe+1.safetensors": bytes(range(256)),
        "components/tokenizer/tokenizer.json": b"[]",
    }
    register(server, tmp_path / "1", files, "chat model", "files")
    words = ["--mark", "config.json", "--beside", "components/*"]
    assert fetched(server, tmp_path / "models", "chat model", *words) == {
        "config.json": b"{}",
        "model safe+1.safetensors": bytes(range(256)),
        "tokenizer.json": b"[]",
    }


def test_a_model_that_mlflow_itself_packed_is_found_in_its_package(server: Mlflow, tmp_path: Path) -> None:
    register(server, tmp_path / "net", {"saved_model.pb": b"graph", "variables/variables.index": b"i"}, "net", "logged")
    files = fetched(server, tmp_path / "models", "net", "--mark", "saved_model.pb", "--folder", "net")
    assert files == {"net/1/saved_model.pb": b"graph", "net/1/variables/variables.index": b"i"}


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({"MLFLOW_TRACKING_PASSWORD": "another"}, "MLflow does not let the user admin read alias challenger"),
        ({"MLFLOW_TRACKING_USERNAME": ""}, "MLflow lets nobody without a user read alias challenger"),
        ({}, "MLflow has no alias challenger of the registered model nowhere"),
    ],
)
def test_what_is_wrong_is_said(server: Mlflow, tmp_path: Path, environment: dict[str, str], text: str) -> None:
    words = ["--model", "nowhere", "--alias", "challenger", "--target", str(tmp_path), "--mark", "*"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *words],
        env={**server.environment, **environment},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == mlflow_model.NEVER_WORTH_ANOTHER_TRY
    assert text in done.stderr
    assert PASSWORD not in done.stderr
