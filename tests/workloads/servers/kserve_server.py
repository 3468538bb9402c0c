"""Starts KServe's own server with a model which doubles what it is given.

    python kserve_server.py PORT SECONDS

KServe's version 1 is TensorFlow Serving's protocol without its signatures. They are added here, in the form that
TensorFlow Serving gives them: https://www.tensorflow.org/tfx/serving/api_rest#model_metadata_api
"""

import asyncio
import sys
from typing import Any

from kserve import Model, ModelServer
from kserve.model_server import app

SHAPE = {"dim": [{"size": size, "name": ""} for size in ("-1", "2", "3")], "unknown_rank": False}
TENSOR = {"dtype": "DT_FLOAT", "tensor_shape": SHAPE, "name": "serving_default_image:0"}
SIGNATURE = {"inputs": {"image": TENSOR}, "outputs": {"doubled": TENSOR}, "method_name": "tensorflow/serving/predict"}


class Double(Model):
    """Waits, and doubles."""

    def __init__(self) -> None:
        super().__init__("double")
        self.ready = True

    async def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> dict[str, Any]:
        """The doubles of all numbers."""
        await asyncio.sleep(float(sys.argv[2]))
        return {"predictions": [[[2 * each for each in row] for row in image] for image in payload["instances"]]}


@app.get("/v1/models/{name}/metadata")
def metadata(name: str) -> dict[str, Any]:
    """What TensorFlow Serving tells of a model."""
    signatures = {"signature_def": {"serving_default": SIGNATURE}}
    return {"model_spec": {"name": name, "version": "1"}, "metadata": {"signature_def": signatures}}


ModelServer(http_port=int(sys.argv[1]), enable_grpc=False, workers=1).start([Double()])
