"""Asks a model over the Open Inference Protocol, version 2: Triton, KServe, OpenVINO Model Server.

    uv run --group workload-clients blueprints/inference/clients/open_inference_client.py \
        --url http://localhost:8000 --model resnet --input image.npy

The shape of the input is the one that the model's metadata has; another one is refused before anything is sent.
"""

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy

import tensors
from connection import Server, ServerError, arguments, run
from tensors import Tensor

# https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md#tensor-data-types
DTYPES = {
    "BOOL": "bool", "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64",
    "INT8": "int8", "INT16": "int16", "INT32": "int32", "INT64": "int64",
    "FP16": "float16", "FP32": "float32", "FP64": "float64", "BYTES": "object",
}  # fmt: skip
NAMES = {dtype: name for name, dtype in DTYPES.items()}
HEADER_LENGTH = "Inference-Header-Content-Length"


class OpenInferenceModel:
    """A model of a server, with the signature that the server tells."""

    def __init__(self, server: Server, name: str):
        self._path = f"/v2/models/{name}"
        self.inputs = [_tensor(each) for each in server.get(self._path).get("inputs") or []]
        if not self.inputs:
            raise ServerError(f"--model: the server does not tell what {name} takes: its metadata has no inputs")

    def request(self, inputs: Mapping[str, numpy.ndarray]) -> tuple[bytes, dict[str, str]]:
        """The body of a request and its headers.

        Numbers travel as bytes behind the JSON, an extension that all three servers have: as JSON, an image takes ten
        times as long, and 16-bit numbers have no form.
        """
        parts = {name: _as_bytes(array) for name, array in inputs.items()}
        about = [
            {
                "name": name,
                "shape": list(array.shape),
                "datatype": NAMES[str(array.dtype)],
                "parameters": {"binary_data_size": len(parts[name])},
            }
            for name, array in inputs.items()
        ]
        header = json.dumps({"inputs": about, "parameters": {"binary_data_output": True}}).encode()
        headers = {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(header))}
        return b"".join([header, *parts.values()]), headers

    def ask(self, server: Server, request: tuple[bytes, dict[str, str]]) -> dict[str, numpy.ndarray]:
        """What the model answers, by the name of each output."""
        response = server.post_bytes(f"{self._path}/infer", *request)
        length = int(response.headers.get(HEADER_LENGTH, len(response.content)))
        about, rest = json.loads(response.content[:length]), response.content[length:]
        found = {}
        for output in about["outputs"]:
            size = output.get("parameters", {}).get("binary_data_size")
            found[output["name"]] = _array(output, output["data"] if size is None else rest[:size])
            rest = rest[size or 0 :]
        return found


def _tensor(about: Mapping[str, Any]) -> Tensor:
    if about["datatype"] not in DTYPES:
        raise ServerError(f"{about['name']}: {about['datatype']} is unknown here, known are {', '.join(DTYPES)}")
    return Tensor(about["name"], numpy.dtype(DTYPES[about["datatype"]]), tuple(int(size) for size in about["shape"]))


def _as_bytes(array: numpy.ndarray) -> bytes:
    if array.dtype != object:
        return array.tobytes()
    texts = [each if isinstance(each, bytes) else str(each).encode() for each in array.ravel()]
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def _array(about: Mapping[str, Any], data: Any) -> numpy.ndarray:
    dtype = numpy.dtype(DTYPES[about["datatype"]])
    if isinstance(data, bytes):
        data = _texts(data) if dtype.kind == "O" else numpy.frombuffer(data, dtype)
    return numpy.array(data, dtype).reshape(about["shape"])


def _texts(data: bytes) -> list[str]:
    found = []
    while data:
        (length,) = struct.unpack_from("<I", data)
        found.append(data[4 : 4 + length].decode(errors="replace"))
        data = data[4 + length :]
    return found


def main() -> None:
    """Asks once, and prints the answer."""
    parser = arguments(__doc__)
    tensors.add_arguments(parser)
    settings = parser.parse_args()
    server = Server(settings.url, settings.timeout)
    model = OpenInferenceModel(server, settings.model)
    tensors.show(model.ask(server, model.request(tensors.make_inputs(model.inputs, settings))))


if __name__ == "__main__":
    run(main)
