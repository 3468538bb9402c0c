"""The SavedModel of the blueprint jax answers without JAX, in batches of any size."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from workloads.exports import check_brings_a_request_along, check_exports, check_keeps_versions

pytestmark = pytest.mark.workload(module="tensorflow", group="workload-keras")

ASK = """
import sys
# As where it is not installed.
sys.modules["jax"] = None
import tensorflow
serve = tensorflow.saved_model.load(sys.argv[1]).signatures["serving_default"]
for batch in (1, 5):
    image = tensorflow.zeros((batch, 28, 28, 1))
    assert serve(image=image)["logits"].shape == (batch, 10)
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("jax")
    check_exports("jax", folder)
    return folder


def test_it_answers_without_jax(repository: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", ASK, str(repository / "fashion/1")], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_the_weights_of_a_checkpoint_are_taken(repository: Path, tmp_path: Path) -> None:
    numpy = import_module("numpy")
    shapes = [(3, 3, 1, 32), (3, 3, 32, 64), (3, 3, 64, 128), (128, 10), (), (3, 3, 1, 32)]
    numpy.savez(tmp_path / "state.npz", *(numpy.zeros(shape, numpy.float32) for shape in shapes))
    check_exports("jax", repository, "--version", "2", "--weights", str(tmp_path / "state.npz"))


def test_it_brings_a_request_along_that_warms_it_up(repository: Path) -> None:
    check_brings_a_request_along(repository / "fashion/1")


def test_a_version_that_is_there_stays(repository: Path) -> None:
    check_keeps_versions("jax", repository)
