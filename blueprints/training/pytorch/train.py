"""ResNet-18 on CIFAR-10, with PyTorch's DistributedDataParallel: a whole model in each process, and its own examples.

    torchrun --standalone --nproc-per-node 2 train.py --steps 100

The data folder holds `cifar-10-batches-bin`, CIFAR-10's binary version: data_batch_1.bin to data_batch_5.bin,
and test_batch.bin, which is held out.
"""

import os
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import ConcatDataset, DataLoader, Dataset, TensorDataset
from torchvision import models

import training_run

CLASSES = 10
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def make_model() -> nn.Module:
    """ResNet-18 for images of 32 × 32: its first layer keeps their size."""
    model = models.resnet18(num_classes=CLASSES)
    model.conv1 = nn.Conv2d(3, 64, kernel_size=3, padding=1, bias=False)
    model.maxpool = nn.Identity()
    return model


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


def main() -> None:
    """Trains."""
    settings = training_run.arguments(
        __doc__, steps=4000, batch_size=128, learning_rate=0.05, exports=True
    ).parse_args()
    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    process, processes = distributed.get_rank(), distributed.get_world_size()

    def mean(numbers: list[float]) -> list[float]:
        total = torch.tensor(numbers, device=device)
        distributed.all_reduce(total)
        return (total / processes).tolist()

    torch.manual_seed(settings.seed)
    data, held_out = make_data(settings.data)
    model = make_model().to(device)
    optimizer = torch.optim.SGD(model.parameters(), settings.learning_rate, momentum=0.9, weight_decay=5e-4)
    scaler = torch.amp.GradScaler(device.type, enabled=settings.precision == "fp16")
    parts = {"model": model, "optimizer": optimizer, "scaler": scaler}

    def save(folder: Path) -> None:
        torch.save({name: part.state_dict() for name, part in parts.items()}, folder / "state.pt")

    def load(folder: Path) -> None:
        state = torch.load(folder / "state.pt", map_location=device, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])

    def export(folder: Path) -> None:
        model.cpu().eval()
        torch.jit.save(torch.jit.trace(model, torch.zeros(1, 3, 32, 32)), folder / "model.pt")

    run = training_run.TrainingRun(settings, process=process, mean=mean)
    run.resume(load)
    parallel = DistributedDataParallel(model)
    loader = DataLoader(data, batch_sampler=run.batches(len(data), processes))

    @torch.no_grad()
    def evaluate() -> dict[str, Any]:
        images, labels = held_out[run.share(len(held_out), processes)]
        parallel.eval()
        said = torch.cat([parallel(part.to(device)).cpu() for part in images.split(settings.batch_size)])
        parallel.train()
        right = said.argmax(dim=1) == labels
        return {"heldOutLoss": nn.functional.cross_entropy(said, labels), "heldOutAccuracy": right.float().mean()}

    for step, (images, labels) in zip(run.steps(export, mark="model.pt"), loader, strict=False):
        with torch.autocast(device.type, PRECISIONS[settings.precision], enabled=settings.precision != "fp32"):
            loss = nn.functional.cross_entropy(parallel(images.to(device)), labels.to(device))
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        run.step_done(step, loss.detach(), save, evaluate)
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
