"""Starts the Triton that comes with PyTriton, with a model of the Python backend which doubles what it is given.

python triton_server.py PORT SECONDS FOLDER
"""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

import pytriton

CONFIG = """
backend: "python"
max_batch_size: 8
input [{ name: "image", data_type: TYPE_FP32, dims: [2, 3] }]
output [{ name: "doubled", data_type: TYPE_FP32, dims: [2, 3] }]
instance_group [{ kind: KIND_CPU }]
"""
MODEL = """
import time
import triton_python_backend_utils as utils

class TritonPythonModel:
    def execute(self, requests):
        time.sleep(SECONDS)
        images = [utils.get_input_tensor_by_name(each, "image").as_numpy() for each in requests]
        return [utils.InferenceResponse([utils.Tensor("doubled", 2 * image)]) for image in images]
"""


def main() -> None:
    """Writes the model repository, and becomes the server."""
    port, seconds, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    packages = Path(pytriton.__file__).parents[1]
    triton = packages / "pytriton" / "tritonserver"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    backends = folder / "backends"
    shutil.copytree(triton / "backends" / "python", backends / "python")
    shutil.copytree(triton / "python_backend_stubs" / python, backends / "python", dirs_exist_ok=True)
    model = folder / "repository" / "double"
    (model / "1").mkdir(parents=True)
    (model / "config.pbtxt").write_text(CONFIG, encoding="utf-8")
    (model / "1" / "model.py").write_text(MODEL.replace("SECONDS", seconds), encoding="utf-8")
    libraries = [str(packages / "nvidia_pytriton.libs"), str(sysconfig.get_config_var("LIBDIR"))]
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries), "PYTHONPATH": str(packages)}
    options = f"--http-address 127.0.0.1 --http-port {port} --allow-grpc 0 --allow-metrics 0".split()
    repository = ["--model-repository", str(folder / "repository"), "--backend-directory", str(backends)]
    os.execve(triton / "bin" / "tritonserver", ["tritonserver", *repository, *options], environment)  # noqa: S606


main()
