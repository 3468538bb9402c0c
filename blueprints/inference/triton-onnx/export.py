"""Exports a ResNet-18 to ONNX, into the layout of a model repository, and compares it with the original.

    uv run --group workload-benchmark blueprints/inference/triton-onnx/export.py models

It writes FOLDER/resnet18/VERSION/model.onnx, which takes a batch of any size.
"""

import argparse
from pathlib import Path

import numpy
import onnxruntime
import torch
from torchvision.models import resnet18

# What 32-bit numbers differ by that are added up in another order, of logits of about one.
TOLERANCE = 1e-4


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
    file = settings.folder / "resnet18" / str(settings.version) / "model.onnx"
    file.parent.mkdir(parents=True)
    torch.onnx.export(
        model,
        (torch.randn(2, 3, 224, 224),),
        file,
        input_names=["image"],
        output_names=["logits"],
        dynamic_shapes={"x": {0: torch.export.Dim("batch")}},
        # In one file, which is the one that Triton looks for.
        external_data=False,
        dynamo=True,
    )

    images = torch.randn(3, 3, 224, 224)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (exported,) = session.run(["logits"], {"image": images.numpy()})
    with torch.inference_mode():
        difference = numpy.abs(exported - model(images).numpy()).max()
    if difference > TOLERANCE:
        raise SystemExit(f"{file} answers otherwise than the original: by {difference:.2g}, more than {TOLERANCE:g}")
    print(f"{file}: {file.stat().st_size / 2**20:.0f} MiB, differs from the original by {difference:.1g}")


if __name__ == "__main__":
    main()
