"""Runs the scripts that export models for the inference blueprints."""

import subprocess
import sys
from pathlib import Path

INFERENCE = Path(__file__).parents[2] / "blueprints" / "inference"


def exported(blueprint: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What the script of a blueprint said; it has compared the model with the original by then."""
    script = INFERENCE / blueprint / "export.py"
    return subprocess.run(
        [sys.executable, str(script), str(folder), *words], capture_output=True, text=True, check=False
    )


def check_exports(blueprint: str, folder: Path, *words: str) -> None:
    """Fails unless the script ends well."""
    ended = exported(blueprint, folder, *words)
    assert ended.returncode == 0, ended.stderr
    assert "differs from the original by" in ended.stdout


ANSWER_WHAT_IT_BRINGS_ALONG = """
import sys, tensorflow
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
serve = tensorflow.saved_model.load(sys.argv[1]).signatures["serving_default"]
(record,) = tensorflow.data.TFRecordDataset(f"{sys.argv[1]}/assets.extra/tf_serving_warmup_requests")
request = PredictionLog.FromString(record.numpy()).predict_log.request
assert request.model_spec.signature_name == "serving_default"
inputs = {name: tensorflow.constant(tensorflow.make_ndarray(value)) for name, value in request.inputs.items()}
assert {len(answer) for answer in serve(**inputs).values()} == {1}
"""


def check_brings_a_request_along(version: Path) -> None:
    """Fails unless a SavedModel answers the request that TensorFlow Serving sends when it loads it."""
    command = [sys.executable, "-c", ANSWER_WHAT_IT_BRINGS_ALONG, str(version)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def check_keeps_versions(blueprint: str, folder: Path, *words: str) -> None:
    """Fails unless a version that is there stays as it is."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert exported(blueprint, folder, *words).returncode != 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
