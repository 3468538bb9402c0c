"""Converts a ResNet-18 to OpenVINO's format, into the layout of a model repository, and compares it with the original.

    uv run --group workload-openvino blueprints/inference/openvino-cpu/export.py models

It writes FOLDER/resnet18-openvino/VERSION/model.xml and model.bin, which take a batch of any size.
"""

import argparse
from pathlib import Path

import numpy
import openvino
import torch
from torchvision.models import resnet18

# Weights are written with 16 bits, of which 11 count; logits are about one.
TOLERANCE = 1e-2


def main() -> None:
    """Exports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the model repository")
    parser.add_argument("--version", type=int, default=1, help="the version, a higher one than the last")
    parser.add_argument("--weights", type=Path, help="trained weights, as torch.save writes those of the model")
    settings = parser.parse_args()
    torch.manual_seed(0)
    model = resnet18().eval()
    if settings.weights:
        model.load_state_dict(torch.load(settings.weights, weights_only=True))
    file = settings.folder / "resnet18-openvino" / str(settings.version) / "model.xml"
    file.parent.mkdir(parents=True)
    converted = openvino.convert_model(model, example_input=torch.randn(1, 3, 224, 224), input=[-1, 3, 224, 224])
    converted.input(0).set_names({"image"})
    converted.output(0).set_names({"logits"})
    openvino.save_model(converted, file, compress_to_fp16=True)

    images = torch.randn(3, 3, 224, 224)
    # The processor's own 16 bits would be a difference of the machine, not of the model.
    exported = openvino.compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(images.numpy())["logits"]
    with torch.inference_mode():
        difference = numpy.abs(exported - model(images).numpy()).max()
    if difference > TOLERANCE:
        raise SystemExit(f"{file} answers otherwise than the original: by {difference:.2g}, more than {TOLERANCE:g}")
    size = file.with_suffix(".bin").stat().st_size
    print(f"{file}: {size / 2**20:.0f} MiB, differs from the original by {difference:.1g}")


if __name__ == "__main__":
    main()
