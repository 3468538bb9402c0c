"""The SavedModel of the blueprint tensorflow-serving answers pictures, in batches of any size."""

import subprocess
import sys
from pathlib import Path

import pytest

from eksml.checks.repositories import repository_problems
from workloads.exports import check_brings_a_request_along, check_exports, check_keeps_versions

pytestmark = pytest.mark.workload(module="tensorflow", group="workload-tensorflow")

ASK = """
import sys, tensorflow
serve = tensorflow.saved_model.load(sys.argv[1]).signatures["serving_default"]
for batch in (1, 5):
    answer = serve(image=tensorflow.zeros((batch, 224, 224, 3), tensorflow.uint8))
    assert answer["classes"].shape == answer["probabilities"].shape == (batch, 5)
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tensorflow")
    check_exports("tensorflow-serving", folder)
    return folder


def test_it_answers_pictures_in_batches_of_any_size(repository: Path) -> None:
    version = repository / "pictures/1"
    ended = subprocess.run([sys.executable, "-c", ASK, str(version)], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_it_lies_as_tensorflow_serving_wants_it(repository: Path) -> None:
    keys = [path.relative_to(repository).as_posix() for path in repository.rglob("*") if path.is_file()]
    assert repository_problems(keys, "tensorflowServing") == []


def test_it_brings_a_request_along_that_warms_it_up(repository: Path) -> None:
    check_brings_a_request_along(repository / "pictures/1")


def test_a_version_that_is_there_stays(repository: Path) -> None:
    check_keeps_versions("tensorflow-serving", repository)
