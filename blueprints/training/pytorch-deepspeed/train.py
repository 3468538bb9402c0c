"""A vision transformer on CIFAR-10, with DeepSpeed's ZeRO: the more of it is split among the GPUs, the more fits.

    deepspeed --num_gpus 2 train.py --steps 100 --stage 2

Stage 1 splits the optimizer's state, 2 the gradients too, 3 the parameters too. The data folder holds
`cifar-10-batches-bin`, CIFAR-10's binary version: data_batch_1.bin to data_batch_5.bin. DeepSpeed reads its checkpoints
with Python's pickle: read none that a stranger wrote.
"""

import argparse
import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import deepspeed
import numpy
import torch
from torch import distributed, nn
from torch.utils import checkpoint as checkpointing
from torch.utils.data import DataLoader, TensorDataset
from torchvision.models import VisionTransformer

import training_run

CLASSES = 10
TAG = "state"


def make_model(layers: int) -> nn.Module:
    """A small vision transformer, for which an image of 32 × 32 is 64 patches."""
    return VisionTransformer(
        image_size=32, patch_size=4, num_layers=layers, num_heads=6, hidden_dim=384, mlp_dim=1536, num_classes=CLASSES
    )


def make_data(folder: Path | None) -> TensorDataset:
    """CIFAR-10, or images of which each class has its own colours."""
    if folder is None:
        labels = torch.arange(1000) % CLASSES
        return TensorDataset(3 * torch.randn(CLASSES, 3, 1, 1)[labels] + torch.randn(1000, 3, 32, 32), labels)
    files = [folder / "cifar-10-batches-bin" / f"data_batch_{number}.bin" for number in range(1, 6)]
    images = torch.from_numpy(numpy.concatenate([numpy.fromfile(file, numpy.uint8) for file in files])).view(-1, 3073)
    return TensorDataset(images[:, 1:].view(-1, 3, 32, 32) / 127.5 - 1, images[:, 0].long())


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

    data = make_data(settings.data)
    run = training_run.TrainingRun(settings, process=distributed.get_rank(), mean=mean, sharded=True)
    run.resume(lambda folder: engine.load_checkpoint(folder, TAG))
    loader = DataLoader(data, batch_sampler=run.batches(len(data), distributed.get_world_size()))
    for step, (images, labels) in zip(run.steps(), loader, strict=False):
        losses = []
        for part, expected in zip(images.chunk(settings.accumulate), labels.chunk(settings.accumulate), strict=True):
            said = engine(part.to(engine.device, precision)).float()
            loss = nn.functional.cross_entropy(said, expected.to(engine.device))
            engine.backward(loss)
            engine.step()  # Of the optimizer after the last of them, which DeepSpeed counts.
            losses.append(loss.detach())
        run.step_done(step, sum(losses) / len(losses), lambda folder: engine.save_checkpoint(folder, TAG))
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
