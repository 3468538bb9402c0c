"""Exports the newest checkpoint, whose parts lie with many processes, to one model for Triton, and compares the two.

    PYTHONPATH=blueprints/training uv run --group workload-pytorch \
        blueprints/training/pytorch-fsdp/export.py checkpoints

It writes CHECKPOINTS/model/STEP/model.pt, TorchScript in full precision, which takes batches of texts of any length up
to 128 characters. It needs no GPU, and memory for the whole model.
"""

import argparse
from pathlib import Path

import torch
from torch.distributed import checkpoint
from train import CHARACTERS, CONTEXT, Gpt

import training_run

# What 32-bit numbers differ by that are added up in another order, of logits of about one.
TOLERANCE = 1e-4


def read_model(folder: Path) -> Gpt:
    """The whole model of a checkpoint."""
    trained = training_run.about_checkpoint(folder)["settings"]
    model = Gpt(trained["layers"], trained["width"], heads=trained["width"] // 64)
    # Into the model's own numbers, in this one process.
    checkpoint.load({"model": model.state_dict()}, checkpoint_id=folder, no_dist=True)
    return model.eval()


def main() -> None:
    """Exports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", type=Path, help="the folder of all checkpoints")
    settings = parser.parse_args()
    newest = training_run.newest_checkpoint(settings.checkpoints)
    if newest is None:
        parser.error(f"checkpoints: {settings.checkpoints} given, has no complete checkpoint")
    file = settings.checkpoints / "model" / str(training_run.about_checkpoint(newest)["step"]) / "model.pt"
    if file.exists():
        parser.error(f"checkpoints: {settings.checkpoints} given, its newest is exported already: {file}")
    model = read_model(newest)
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.jit.save(torch.jit.trace(model, torch.zeros(1, CONTEXT, dtype=torch.int64)), file)

    texts = torch.randint(CHARACTERS, (3, CONTEXT // 2))
    with torch.inference_mode():
        difference = (torch.jit.load(file)(texts) - model(texts)).abs().max().item()
    if difference > TOLERANCE:
        raise SystemExit(f"{file} answers otherwise than the original: by {difference:.2g}, more than {TOLERANCE:g}")
    print(f"{file}: {file.stat().st_size / 2**20:.0f} MiB, differs from the original by {difference:.1g}")


if __name__ == "__main__":
    main()
