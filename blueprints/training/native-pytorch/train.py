"""A convolutional network on MNIST, with nothing but PyTorch: torchrun and a plain Job, on nodes that come and go.

    torchrun --standalone --nproc-per-node 2 train.py --steps 100

The data folder holds `mnist.npz`, as Keras distributes it. When a node is lost or joins, torchrun ends all processes
and starts as many as there is room for; they go on from the newest checkpoint. The examples of a step are shared among
them, so that it is the same training with fewer nodes, only slower.
"""

import os
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

import training_run

CLASSES = 10
Examples = tuple[torch.Tensor, torch.Tensor]
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def make_model() -> nn.Module:
    """Two convolutions and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1600, CLASSES),
    )  # fmt: skip


def make_data(folder: Path | None) -> tuple[Examples, Examples]:
    """MNIST, or images of which each class has a pattern of its own: what is trained with, and what is held out."""
    if folder is None:
        labels = torch.arange(1200) % CLASSES
        images = torch.randn(CLASSES, 1, 28, 28)[labels] + torch.randn(1200, 1, 28, 28)
        return (images[:1000], labels[:1000]), (images[1000:], labels[1000:])
    with numpy.load(folder / "mnist.npz") as file:
        arrays = {name: torch.from_numpy(file[name]) for name in file}
    training = arrays["x_train"][:, None] / 255, arrays["y_train"].long()
    return training, (arrays["x_test"][:, None] / 255, arrays["y_test"].long())


def main() -> None:
    """Trains."""
    settings = training_run.arguments(
        __doc__, steps=5000, batch_size=256, learning_rate=1e-3, exports=True
    ).parse_args()
    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    process, processes = distributed.get_rank(), distributed.get_world_size()

    torch.manual_seed(settings.seed)
    training, held_out = ([part.to(device) for part in examples] for examples in make_data(settings.data))
    images, labels = training
    model = make_model().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), settings.learning_rate)
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
        torch.jit.save(torch.jit.trace(model, torch.zeros(1, 1, 28, 28)), folder / "model.pt")

    def mean(numbers: list[float]) -> list[float]:
        total = torch.tensor(numbers, device=device)
        distributed.all_reduce(total)
        return (total / processes).tolist()

    run = training_run.TrainingRun(settings, process=process, mean=mean)
    run.resume(load)
    parallel = DistributedDataParallel(model)

    @torch.no_grad()
    def evaluate() -> dict[str, Any]:
        images, labels = (part[run.share(len(part), processes)] for part in held_out)
        parallel.eval()
        said = torch.cat([parallel(part) for part in images.split(settings.batch_size)])
        parallel.train()
        right = said.argmax(dim=1) == labels
        return {"heldOutLoss": nn.functional.cross_entropy(said, labels), "heldOutAccuracy": right.float().mean()}

    for step, batch in zip(run.steps(export, mark="model.pt"), run.batches(len(images)), strict=False):
        mine = batch[process::processes]
        with torch.autocast(device.type, PRECISIONS[settings.precision], enabled=settings.precision != "fp32"):
            loss = nn.functional.cross_entropy(parallel(images[mine]), labels[mine])
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        run.step_done(step, loss.detach(), save, evaluate)
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
