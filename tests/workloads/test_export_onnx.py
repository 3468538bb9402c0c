"""The ONNX model of triton-onnx lies where Triton looks for it, and takes a batch of any size."""

from importlib import import_module
from pathlib import Path

import pytest
import yaml

from eksml.catalog import engines
from workloads.exports import INFERENCE, check_exports, check_keeps_versions

pytestmark = pytest.mark.workload(module="onnxruntime", group="workload-benchmark")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx")
    check_exports("triton-onnx", folder)
    return folder


@pytest.mark.parametrize("batch", [1, 5])
def test_it_answers(repository: Path, batch: int) -> None:
    numpy = import_module("numpy")
    onnxruntime = import_module("onnxruntime")

    session = onnxruntime.InferenceSession(
        repository / "resnet18/1" / str(engines()["triton"].backends["onnxruntime"].model_file)
    )
    (logits,) = session.run(["logits"], {"image": numpy.zeros((batch, 3, 224, 224), numpy.float32)})
    assert logits.shape == (batch, 1000)


def test_the_folder_is_the_model_of_the_settings(repository: Path) -> None:
    settings = yaml.safe_load((INFERENCE / "triton-onnx/Pulumi.production.yaml").read_text())
    assert {each.name for each in repository.iterdir()} == set(settings["config"]["eksml:workload"]["models"])


def test_a_version_that_is_there_stays(repository: Path) -> None:
    check_keeps_versions("triton-onnx", repository)
