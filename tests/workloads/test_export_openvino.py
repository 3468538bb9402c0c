"""OpenVINO reads the model of openvino-cpu, in batches of any size."""

from importlib import import_module
from pathlib import Path

import pytest
import yaml

from eksml import OpenVinoModel
from workloads.exports import INFERENCE, check_exports, check_keeps_versions

pytestmark = pytest.mark.workload(module="openvino", group="workload-openvino")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("openvino")
    check_exports("openvino-cpu", folder)
    return folder


def test_it_answers_as_the_server_is_set(repository: Path) -> None:
    numpy = import_module("numpy")
    openvino = import_module("openvino")

    config = OpenVinoModel().config("resnet18-openvino", 2)
    model = openvino.compile_model(repository / "resnet18-openvino/1/model.xml", "CPU", config["plugin_config"])
    for batch in (1, 5):
        assert model(numpy.zeros((batch, 3, 224, 224), numpy.float32))["logits"].shape == (batch, 1000)


def test_openvino_knows_every_setting_of_a_model(repository: Path) -> None:
    openvino = import_module("openvino")

    spec = OpenVinoModel(performance_hint="throughput", threads=1, streams=1, precision="float32")
    config = spec.config("resnet18-openvino", 2)
    openvino.compile_model(repository / "resnet18-openvino/1/model.xml", "CPU", config["plugin_config"])


def test_the_folder_is_the_model_of_the_settings(repository: Path) -> None:
    settings = yaml.safe_load((INFERENCE / "openvino-cpu/Pulumi.startup.yaml").read_text())
    assert {each.name for each in repository.iterdir()} == set(settings["config"]["eksml:workload"]["models"])


def test_a_version_that_is_there_stays(repository: Path) -> None:
    check_keeps_versions("openvino-cpu", repository)
