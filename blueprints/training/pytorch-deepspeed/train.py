"""A vision transformer on CIFAR-10, with DeepSpeed's ZeRO: the more of it is split among the GPUs, the more fits.

    deepspeed --num_gpus 2 train.py --steps 100 --stage 2

Stage 1 splits the optimizer's state, 2 the gradients too, 3 the parameters too. The data folder holds
`cifar-10-batches-bin`, CIFAR-10's binary version: data_batch_1.bin to data_batch_5.bin, and test_batch.bin, which is
held out. DeepSpeed reads its checkpoints with Python's pickle: read none that a stranger wrote.
"""

import argparse
import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import deepspeed
import numpy
import torch
from torch import distributed, nn
from torch.utils import checkpoint as checkpointing
from torch.utils.data import ConcatDataset, DataLoader, Dataset, TensorDataset
from torchvision.models import VisionTransformer

import training_run

CLASSES = 10
TAG = "state"


def make_model(layers: int) -> nn.Module:
    """A small vision transformer, for which an image of 32 × 32 is 64 patches."""
    return VisionTransformer(
        image_size=32, patch_size=4, num_layers=layers, num_heads=6, hidden_dim=384, mlp_dim=1536, num_classes=CLASSES
    )


def make_data(folder: Path | None) -> tuple[Dataset, TensorDataset]:
    """CIFAR-10, or images of which each class has its own colours: what is trained with, and what is held out."""
    if folder is None:
        labels = torch.arange(5200) % CLASSES
        images = 3 * torch.randn(CLASSES, 3, 1, 1)[labels] + torch.randn(5200, 3, 32, 32)
        return TensorDataset(images[:5000], labels[:5000]), TensorDataset(images[5000:], labels[5000:])
    files = folder / "cifar-10-batches-bin"
    training = [read_images(files / f"data_batch_{number}.bin") for number in range(1, 6)]
    return ConcatDataset(training), read_images(files / "test_batch.bin")


def read_images(file: Path) -> TensorDataset:
    """Images and labels of one of CIFAR-10's files."""
    rows = torch.from_numpy(numpy.fromfile(file, numpy.uint8)).view(-1, 3073)
    return TensorDataset(rows[:, 1:].view(-1, 3, 32, 32) / 127.5 - 1, rows[:, 0].long())


def calculate_twice(blocks: Iterable[nn.Module]) -> None:
    """Keeps only what goes into each block; the rest is calculated again when gradients are due."""
    for block in blocks:
        block.forward = partial(checkpointing.checkpoint, block.forward, use_reentrant=False)


def main() -> None:
    """Trains."""
    parser = training_run.arguments(__doc__, steps=4000, batch_size=128, learning_rate=1e-3)
    parser.add_argument("--layers", type=int, default=7, help="layers of the model (7)")
    parser.add_argument("--stage", type=int, choices=(0, 1, 2, 3), default=2, help="how much ZeRO splits (2)")
    parser.add_argument("--accumulate", type=int, default=1, help="micro-batches that a step's batch is split into (1)")
    parser.add_argument(
        "--checkpointing", choices=("full", "none"), default="none", help="full: blocks are calculated twice, not kept"
    )
    parser.add_argument(
        "--local_rank", help=argparse.SUPPRESS
    )  # DeepSpeed's launcher gives it; LOCAL_RANK says it too.
    settings = parser.parse_args()
    if settings.accumulate < 1 or settings.batch_size % settings.accumulate:
        parser.error(f"--accumulate: {settings.accumulate} given, must divide --batch-size {settings.batch_size}")

    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    deepspeed.init_distributed("nccl" if on_gpu else "gloo")
    torch.manual_seed(settings.seed)
    model = make_model(settings.layers)
    if settings.checkpointing == "full":
        calculate_twice(model.encoder.layers)
    engine, *_ = deepspeed.initialize(
        model=model,
        model_parameters=model.parameters(),
        config={
            "train_micro_batch_size_per_gpu": settings.batch_size // settings.accumulate,
            "gradient_accumulation_steps": settings.accumulate,
            # PyTorch's own AdamW: DeepSpeed's would be compiled at run time, for which few images have a compiler.
            "optimizer": {"type": "AdamW", "params": {"lr": settings.learning_rate, "torch_adam": True}},
            "bf16": {"enabled": settings.precision == "bf16"},
            "fp16": {"enabled": settings.precision == "fp16"},
            "zero_optimization": {"stage": settings.stage},
        },
    )
    precision = next(engine.parameters()).dtype

    def mean(numbers: list[float]) -> list[float]:
        total = torch.tensor(numbers, device=engine.device)
        distributed.all_reduce(total)
        return (total / distributed.get_world_size()).tolist()

    data, held_out = make_data(settings.data)
    run = training_run.TrainingRun(settings, process=distributed.get_rank(), mean=mean, sharded=True)
    run.resume(lambda folder: engine.load_checkpoint(folder, TAG))
    loader = DataLoader(data, batch_sampler=run.batches(len(data), distributed.get_world_size()))

    def save(folder: Path) -> None:
        engine.save_checkpoint(folder, TAG)

    @torch.no_grad()
    def evaluate() -> dict[str, Any]:
        images, labels = held_out[run.share(len(held_out), distributed.get_world_size())]
        parts = images.split(settings.batch_size // settings.accumulate)
        engine.eval()
        said = torch.cat([engine(part.to(engine.device, precision)).float().cpu() for part in parts])
        engine.train()
        right = said.argmax(dim=1) == labels
        return {"heldOutLoss": nn.functional.cross_entropy(said, labels), "heldOutAccuracy": right.float().mean()}

    for step, (images, labels) in zip(run.steps(), loader, strict=False):
        losses = []
        for part, expected in zip(images.chunk(settings.accumulate), labels.chunk(settings.accumulate), strict=True):
            said = engine(part.to(engine.device, precision)).float()
            loss = nn.functional.cross_entropy(said, expected.to(engine.device))
            engine.backward(loss)
            engine.step()  # Of the optimizer after the last of them, which DeepSpeed counts.
            losses.append(loss.detach())
        run.step_done(step, sum(losses) / len(losses), save, evaluate)
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
