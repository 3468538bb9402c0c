"""Traces a ResNet-18 to TorchScript, into the layout of a model repository, and compares it with the original.

    uv run --group workload-pytorch blueprints/inference/pytorch/export.py models

It writes FOLDER/resnet18-torch/VERSION/model.pt, which takes a batch of any size.
"""

import argparse
from pathlib import Path

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
    file = settings.folder / "resnet18-torch" / str(settings.version) / "model.pt"
    file.parent.mkdir(parents=True)
    with torch.inference_mode():
        torch.jit.save(torch.jit.trace(model, torch.randn(1, 3, 224, 224)), file)
        images = torch.randn(3, 3, 224, 224)
        difference = (torch.jit.load(file)(images) - model(images)).abs().max().item()
    if difference > TOLERANCE:
        raise SystemExit(f"{file} answers otherwise than the original: by {difference:.2g}, more than {TOLERANCE:g}")
    print(f"{file}: {file.stat().st_size / 2**20:.0f} MiB, differs from the original by {difference:.1g}")


if __name__ == "__main__":
    main()
