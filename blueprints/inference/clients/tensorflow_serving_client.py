"""Asks a model of TensorFlow Serving over REST.

    uv run --group workload-clients blueprints/inference/clients/tensorflow_serving_client.py \
        --url http://localhost:8501 --model resnet --input image.npy

The shape of the input is the one that the model's signature has; another one is refused before anything is sent.
"""

from collections.abc import Mapping
from typing import Any

import numpy

import tensors
from connection import Server, ServerError, arguments, run
from tensors import Tensor

# https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/framework/types.proto
DTYPES = {
    "DT_BOOL": "bool", "DT_UINT8": "uint8", "DT_INT8": "int8", "DT_INT16": "int16", "DT_INT32": "int32",
    "DT_INT64": "int64", "DT_HALF": "float16", "DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_STRING": "object",
}  # fmt: skip


class TensorFlowServingModel:
    """A model of a server, with the signature that the server tells.

    Arguments:
        name: the model's name.
        signature: which of its signatures.
        label: the label of a version, such as stable; none: the newest.
    """

    def __init__(self, server: Server, name: str, signature: str = "serving_default", label: str | None = None):
        self._path = f"/v1/models/{name}" + (f"/labels/{label}" if label else "")
        self._signature = signature
        told = server.get(f"{self._path}/metadata")
        known = told.get("metadata", {}).get("signature_def", {}).get("signature_def", {})
        if signature not in known:
            raise ServerError(f"--signature: {signature} given, the model has {', '.join(known) or 'none'}")
        self.inputs = [_tensor(name, about) for name, about in sorted(known[signature]["inputs"].items())]

    def request(self, inputs: Mapping[str, numpy.ndarray]) -> dict[str, Any]:
        """The body of a request: a row for each example, as TensorFlow Serving and KServe's version 1 take it."""
        columns = [array.tolist() for array in inputs.values()]
        rows: list[Any] = [dict(zip(inputs, row, strict=True)) for row in zip(*columns, strict=True)]
        return {"signature_name": self._signature, "instances": columns[0] if len(columns) == 1 else rows}

    def ask(self, server: Server, request: dict[str, Any]) -> dict[str, numpy.ndarray]:
        """What the model answers, by the name of each output."""
        rows = server.post(f"{self._path}:predict", request)["predictions"]
        if rows and isinstance(rows[0], dict):
            return {name: numpy.array([row[name] for row in rows]) for name in rows[0]}
        return {"predictions": numpy.array(rows)}


def _tensor(name: str, about: Mapping[str, Any]) -> Tensor:
    dtype, shape = about["dtype"], about["tensor_shape"]
    if dtype not in DTYPES:
        raise ServerError(f"{name}: {dtype} is unknown here, known are {', '.join(DTYPES)}")
    sizes = None if shape.get("unknown_rank") else tuple(int(each["size"]) for each in shape.get("dim", []))
    return Tensor(name, numpy.dtype(DTYPES[dtype]), sizes)


def add_arguments(parser: Any) -> None:
    """Adds the arguments that choose a version and a signature."""
    parser.add_argument("--signature", default="serving_default", help="signature of the model (serving_default)")
    parser.add_argument("--label", help="label of the version; without it, the newest")


def main() -> None:
    """Asks once, and prints the answer."""
    parser = arguments(__doc__)
    tensors.add_arguments(parser)
    add_arguments(parser)
    settings = parser.parse_args()
    server = Server(settings.url, settings.timeout)
    model = TensorFlowServingModel(server, settings.model, settings.signature, settings.label)
    tensors.show(model.ask(server, model.request(tensors.make_inputs(model.inputs, settings))))


if __name__ == "__main__":
    run(main)
