"""The TorchScript of the blueprint pytorch lies where Triton looks for it, with inputs as its settings say."""

import warnings
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from eksml.catalog import engines
from workloads.exports import INFERENCE, check_exports, check_keeps_versions

pytestmark = pytest.mark.workload(module="torchvision", group="workload-pytorch")
SETTINGS = yaml.safe_load((INFERENCE / "pytorch/Pulumi.production.yaml").read_text())["config"]["eksml:workload"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pytorch")
    check_exports("pytorch", folder)
    return folder


@pytest.mark.parametrize("batch", [1, 5])
def test_it_answers_as_its_settings_say(repository: Path, batch: int) -> None:
    torch = import_module("torch")

    ((name, model),) = SETTINGS["models"].items()
    (given,), (expected,) = model["inputs"].values(), model["outputs"].values()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = torch.jit.load(repository / name / "1" / str(engines()["triton"].backends["pytorch"].model_file))
    with torch.inference_mode():
        assert loaded(torch.zeros(batch, *given["shape"])).shape == (batch, *expected["shape"])


def test_trained_weights_are_taken(repository: Path, tmp_path: Path) -> None:
    torch = import_module("torch")
    resnet18 = import_module("torchvision.models").resnet18

    torch.save(resnet18().state_dict(), tmp_path / "weights.pth")
    check_exports("pytorch", repository, "--version", "2", "--weights", str(tmp_path / "weights.pth"))
    assert (repository / "resnet18-torch/2/model.pt").is_file()


def test_a_version_that_is_there_stays(repository: Path) -> None:
    check_keeps_versions("pytorch", repository)
