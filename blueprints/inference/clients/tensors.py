"""Tensors that a model takes: their shapes as its signature has them, and arrays that fit them."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy

from connection import ServerError

ANY = -1


class Tensor(NamedTuple):
    """An input or output of a model."""

    name: str
    dtype: numpy.dtype
    shape: tuple[int, ...] | None
    """The size of each dimension, -1 for any; None where the model leaves even their number open."""

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype} {shape_text(self.shape)}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that say what a model is given."""
    parser.add_argument("--model", required=True, help="name of the model")
    text = "an array as .npy or .json; for several inputs .npz or a JSON object by name; without it, random numbers"
    parser.add_argument("--input", type=Path, help=text)
    parser.add_argument("--batch-size", type=int, default=1, help="examples at once where they are random (1)")


def make_inputs(tensors: Sequence[Tensor], settings: argparse.Namespace) -> dict[str, numpy.ndarray]:
    """The array for each input of a model, of the shape that it takes: from a file, or random."""
    if settings.input is None:
        return {tensor.name: _random(tensor, settings.batch_size) for tensor in tensors}
    return fitting(tensors, _read(settings.input))


def fitting(tensors: Sequence[Tensor], given: Any) -> dict[str, numpy.ndarray]:
    """Arrays by the name of their input; ServerError where one is missing, unknown or of another shape."""
    if not isinstance(given, Mapping):
        if len(tensors) != 1:
            raise ServerError(f"--input: one array given, the model takes {_listed(tensors)}: give them by name")
        given = {tensors[0].name: given}
    if set(given) != {tensor.name for tensor in tensors}:
        raise ServerError(f"--input: {', '.join(given)} given, the model takes {_listed(tensors)}")
    return {tensor.name: _fitting(tensor, given[tensor.name]) for tensor in tensors}


def shape_text(shape: Sequence[int] | None) -> str:
    """A shape as people write it."""
    return "[...]" if shape is None else f"[{', '.join('any' if size == ANY else str(size) for size in shape)}]"


def show(outputs: Mapping[str, numpy.ndarray]) -> None:
    """Prints what a model answers; of long arrays, the ends."""
    for name, array in outputs.items():
        print(f"{name} {shape_text(array.shape)}\n{numpy.array2string(array, threshold=100, precision=6)}")


def _fitting(tensor: Tensor, given: Any) -> numpy.ndarray:
    try:
        array = numpy.asarray(given, tensor.dtype)
    except (ValueError, TypeError) as error:
        raise ServerError(f"{tensor.name}: not an array of {tensor.dtype}: {error}") from None
    if tensor.shape is not None:
        sizes = zip(tensor.shape, array.shape, strict=False)
        if array.ndim != len(tensor.shape) or any(size not in (ANY, own) for size, own in sizes):
            must = shape_text(tensor.shape)
            raise ServerError(f"{tensor.name}: shape {shape_text(array.shape)} given, must be {must}")
    return array


def _random(tensor: Tensor, batch_size: int) -> numpy.ndarray:
    if tensor.shape is None or tensor.dtype.kind == "O":
        raise ServerError(f"{tensor}: nothing random fits: give --input")
    first, *rest = tensor.shape or (1,)
    if first not in (ANY, batch_size):
        raise ServerError(f"--batch-size: {batch_size} given, {tensor.name} takes {first}")
    shape = [batch_size, *(1 if size == ANY else size for size in rest)] if tensor.shape else []
    if tensor.dtype.kind == "f":
        return numpy.random.default_rng(0).random(shape).astype(tensor.dtype)
    return numpy.zeros(shape, tensor.dtype)


def _read(file: Path) -> Any:
    try:
        if file.suffix == ".json":
            return json.loads(file.read_text(encoding="utf-8"))
        read = numpy.load(file)
        return dict(read) if file.suffix == ".npz" else read
    except (OSError, ValueError) as error:
        raise ServerError(f"--input: {file}: {error}") from None


def _listed(tensors: Sequence[Tensor]) -> str:
    return " and ".join(str(tensor) for tensor in tensors)
