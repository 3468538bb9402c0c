"""A PyTorch model becomes a SavedModel for TensorFlow Serving, by way of ONNX, if its outputs stay the same.

    python migrate.py --builder mnist --weights step-000005000/state.pt --name mnist

The weights are a state_dict, a checkpoint of blueprints/training/native-pytorch, or, without a builder, a file of
torch.export. Without any, a small network with random weights is migrated. TensorFlow Serving reads what is written
below --output/--name/VERSION; the ONNX file and a report lie beside it, in assets.extra.

    python migrate.py --back models/mnist/2 --output triton --name mnist

makes a model repository of Triton of the same network.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

import migration_run
from migration_run import EXTRA, REPORT, Migration, Network, OnnxModel


class Block(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, channels_in: int, channels: int, stride: int):
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels),
        )  # fmt: skip
        self.around = nn.Conv2d(channels_in, channels, 1, stride, bias=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Its outputs."""
        return torch.relu(self.convolutions(images) + self.around(images))


def small_resnet() -> nn.Module:
    """Three blocks for images of 32 × 32."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip


def mnist() -> nn.Module:
    """The network of blueprints/training/native-pytorch."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1600, 10),
    )  # fmt: skip


class Builder(NamedTuple):
    """What makes a network, and the shapes of one example's inputs by their names."""

    make: Callable[[], nn.Module]
    inputs: dict[str, tuple[int, ...]]
    outputs: list[str]


BUILDERS = {
    "small-resnet": Builder(small_resnet, {"image": (3, 32, 32)}, ["scores"]),
    "mnist": Builder(mnist, {"image": (1, 28, 28)}, ["scores"]),
}


def build(builder: Builder, weights: Path | None, seed: int) -> nn.Module:
    """A network with its weights, or with random ones."""
    torch.manual_seed(seed)
    model = builder.make()
    if weights is not None:
        try:
            state = torch.load(weights, map_location="cpu", weights_only=True)
            model.load_state_dict(state.get("model", state))
        except Exception as error:
            raise SystemExit(f"--weights: {weights} does not fit the builder: {error}") from None
    return model.eval()


def load_exported(file: Path) -> torch.export.ExportedProgram:
    """What torch.export.save wrote."""
    try:
        return torch.export.load(file)
    except Exception as error:
        text = f"--weights: {file} is no file of torch.export: {error}"
        raise SystemExit(f"{text}; of a state_dict, --builder says which network it belongs to") from None


def export(model: nn.Module | torch.export.ExportedProgram, builder: Builder | None, file: Path) -> None:
    """Writes a network as ONNX, for batches of any size; one that was exported has its inputs already."""
    examples, names = (), {}
    if builder:
        examples = tuple(torch.randn(2, *shape) for shape in builder.inputs.values())
        batch = {0: torch.export.Dim("batch")}
        names = {
            "input_names": list(builder.inputs),
            "output_names": builder.outputs,
            "dynamic_shapes": tuple(batch for _ in examples),
        }
    try:
        opset = migration_run.ONNX_OPSET
        torch.onnx.export(model, examples, file, dynamo=True, opset_version=opset, verbose=False, **names)
    except torch.onnx.OnnxExporterError as error:
        raise SystemExit(f"PyTorch does not export this model as ONNX: {str(error)[-2000:]}") from None


def network(model: nn.Module, onnx: OnnxModel) -> Network:
    """The original, by the names of the inputs and outputs of the ONNX file."""

    def run(arrays: migration_run.Arrays) -> migration_run.Arrays:
        with torch.inference_mode():
            found = model(*(torch.from_numpy(arrays[each.name]) for each in onnx.inputs))
        outputs = found if isinstance(found, (tuple, list)) else [found]
        return {each.name: output.numpy() for each, output in zip(onnx.outputs, outputs, strict=True)}

    return run


def forward(settings: argparse.Namespace, work: Path) -> None:
    """From PyTorch to TensorFlow."""
    builder = BUILDERS.get(settings.builder)
    if builder is None and settings.weights is None:
        raise SystemExit("--weights: missing, and without a builder it says what is migrated")
    model = build(builder, settings.weights, settings.seed) if builder else load_exported(settings.weights)
    source = {"framework": "PyTorch", "builder": settings.builder, "weights": str(settings.weights or "random")}
    if settings.weights:
        source["sha256"] = migration_run.sha256(settings.weights)
    migration = Migration(settings, source, work)
    export(model, builder, work / "model.onnx")
    onnx = OnnxModel(work / "model.onnx")
    original = network(model.module() if isinstance(model, torch.export.ExportedProgram) else model, onnx)
    migration.compare("PyTorch to ONNX", original, onnx, onnx.inputs)
    channels_last = settings.layout == "nhwc"
    converted = migration_run.onnx_to_saved_model(onnx, work, channels_last=channels_last)
    tensorflow = migration_run.saved_model(converted)
    if channels_last:
        tensorflow = migration_run.reordered(tensorflow, images=migration_run.to_nhwc)
    migration.compare("PyTorch to TensorFlow", original, tensorflow, onnx.inputs)
    migration.publish_saved_model(converted, onnx)


def back(settings: argparse.Namespace, work: Path) -> None:
    """From TensorFlow Serving to Triton, with the ONNX file that was kept."""
    version = settings.back
    try:
        report = json.loads((version / EXTRA / REPORT).read_text(encoding="utf-8"))
    except OSError:
        raise SystemExit(f"--back: {version} has no {EXTRA}/{REPORT}, so this script has not published it") from None
    onnx = OnnxModel(version / EXTRA / "model.onnx")
    tensorflow = migration_run.saved_model(version)
    if report["layout"] == "nhwc":
        tensorflow = migration_run.reordered(tensorflow, images=migration_run.to_nhwc)
    settings.layout = "nchw"
    migration = Migration(settings, {"framework": "TensorFlow", "version": str(version)}, work)
    migration.compare("TensorFlow to ONNX", tensorflow, onnx, onnx.inputs)
    migration.publish_for_triton(onnx)


def main() -> None:
    """Migrates."""
    parser = migration_run.arguments(__doc__, name="small-resnet", layout="nchw")
    parser.add_argument("--weights", type=Path, help="a state_dict, a checkpoint, or a file of torch.export")
    builders = [*BUILDERS, "none"]
    parser.add_argument("--builder", choices=builders, default="small-resnet", help="the network (small-resnet)")
    settings = parser.parse_args()
    if settings.weights and not settings.weights.is_file():
        raise SystemExit(f"--weights: {settings.weights} is no file")
    with tempfile.TemporaryDirectory() as work:
        (back if settings.back else forward)(settings, Path(work))


if __name__ == "__main__":
    main()
