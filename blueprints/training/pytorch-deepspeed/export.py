"""Exports the newest checkpoint, whose parts lie with many processes, to one model for Triton, and compares the two.

    PYTHONPATH=blueprints/training uv run --group workload-deepspeed \
        blueprints/training/pytorch-deepspeed/export.py checkpoints

It writes CHECKPOINTS/model/STEP/model.pt, TorchScript in full precision, which takes a batch of any size. It needs no
GPU, and memory for the whole model. The checkpoint must be one of your own: DeepSpeed reads it with pickle, which is
code.
"""

import argparse
from pathlib import Path

import torch
from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint
from train import TAG, make_model

import training_run

# What 32-bit numbers differ by that are added up in another order, of logits of about one.
TOLERANCE = 1e-4


def read_model(folder: Path) -> torch.nn.Module:
    """The whole model of a checkpoint."""
    trained = training_run.about_checkpoint(folder)["settings"]
    model = make_model(trained["layers"])
    if trained["stage"] == 0:  # Every process had all of it, and the first has written it.
        file = folder / TAG / "mp_rank_00_model_states.pt"
        whole = torch.load(file, map_location="cpu", weights_only=False)["module"]
    else:
        whole = get_fp32_state_dict_from_zero_checkpoint(folder, TAG)
    model.load_state_dict(whole)
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
    # Public operations only: PyTorch's short cut past them is its own, and Triton's PyTorch is another version.
    torch.backends.mha.set_fastpath_enabled(False)
    torch.jit.save(torch.jit.trace(model, torch.zeros(1, 3, 32, 32)), file)

    images = torch.randn(3, 3, 32, 32)
    with torch.inference_mode():
        difference = (torch.jit.load(file)(images) - model(images)).abs().max().item()
    if difference > TOLERANCE:
        raise SystemExit(f"{file} answers otherwise than the original: by {difference:.2g}, more than {TOLERANCE:g}")
    print(f"{file}: {file.stat().st_size / 2**20:.0f} MiB, differs from the original by {difference:.1g}")


if __name__ == "__main__":
    main()
