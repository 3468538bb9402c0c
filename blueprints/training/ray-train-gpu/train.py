"""ResNet-18 on CIFAR-10 with Ray Train: Ray starts the workers, starts them again when one is lost, and joins them up.

    python train.py --workers 2 --steps 100

The data folder holds `cifar-10-batches-bin`, CIFAR-10's binary version: data_batch_1.bin to data_batch_5.bin,
and test_batch.bin, which is held out. Every
worker reads it, and the checkpoints, at the same path.
"""

import argparse
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import numpy
import ray
import ray.train
import ray.train.torch
import torch
from torch import distributed, nn
from torch.utils.data import ConcatDataset, DataLoader, Dataset, TensorDataset
from torchvision import models

import training_run

CLASSES = 10
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
RESTARTS = 10


@ray.remote(num_cpus=0)
class Driver:
    """What the workers and the driver tell each other: lines to print, and that it is time to end."""

    def __init__(self):
        self._lines, self._interrupted = [], False

    def say(self, line: dict[str, Any]) -> None:
        """Has the driver print a line."""
        self._lines.append(line)

    def lines(self) -> list[dict[str, Any]]:
        """What is to be printed."""
        lines, self._lines = self._lines, []
        return lines

    def interrupt(self) -> None:
        """Has the workers write a checkpoint and end."""
        self._interrupted = True

    def interrupted(self) -> bool:
        """Whether the workers are to end."""
        return self._interrupted


class RayRun(training_run.TrainingRun):
    """A training whose words are the driver's, and which ends when the driver was told to."""

    def __init__(self, settings: argparse.Namespace, driver: Any, **options: Any):
        super().__init__(settings, **options)
        self._driver = driver

    def watch(self) -> None:
        """Leaves signals to the driver."""

    def interrupted(self) -> bool:
        """Whether the driver was told to end."""
        return ray.get(self._driver.interrupted.remote())

    def say(self, **line: Any) -> None:
        """Has the driver print one JSON object."""
        ray.get(self._driver.say.remote(line))

    def report(self, step: int, loss: float) -> None:
        """Tells Ray too."""
        super().report(step, loss)
        ray.train.report({"step": step, "loss": loss})


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


def train(settings: argparse.Namespace, driver: Any) -> None:
    """What each worker does."""
    device = ray.train.torch.get_device()
    process, processes = distributed.get_rank(), distributed.get_world_size()
    torch.manual_seed(settings.seed)
    data, held_out = make_data(settings.data)
    model = make_model().to(device)
    optimizer = torch.optim.SGD(model.parameters(), settings.learning_rate, momentum=0.9, weight_decay=5e-4)
    parts = {"model": model, "optimizer": optimizer}

    def save(folder: Path) -> None:
        torch.save({name: part.state_dict() for name, part in parts.items()}, folder / "state.pt")

    def load(folder: Path) -> None:
        state = torch.load(folder / "state.pt", map_location=device, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])

    def export(folder: Path) -> None:
        model.cpu().eval()
        torch.jit.save(torch.jit.trace(model, torch.zeros(1, 3, 32, 32)), folder / "model.pt")

    def mean(numbers: list[float]) -> list[float]:
        total = torch.tensor(numbers, device=device)
        distributed.all_reduce(total)
        return (total / processes).tolist()

    run = RayRun(settings, driver, process=process, mean=mean)
    run.resume(load)
    parallel = ray.train.torch.prepare_model(model)
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
        loss.backward()
        optimizer.step()
        run.step_done(step, loss.detach(), save, evaluate)


def train_until_interrupted(config: dict[str, Any]) -> None:
    """Ends as though all were well when the driver was told to end, so that Ray does not start it again."""
    try:
        train(config["settings"], config["driver"])
    except SystemExit as end:
        if end.code != training_run.EXIT_CODE_WHEN_INTERRUPTED:
            raise RuntimeError(end.code) from None


def main() -> None:
    """Has Ray train."""
    parser = training_run.arguments(
        __doc__, steps=4000, batch_size=128, learning_rate=0.05, precisions=("fp32", "bf16"), exports=True
    )
    parser.add_argument("--workers", type=int, help="processes that train (one for each GPU, or two without GPUs)")
    parser.add_argument("--use-gpu", action=argparse.BooleanOptionalAction, help="a GPU each (if the cluster has any)")
    settings = parser.parse_args()
    settings.checkpoints, settings.logs = settings.checkpoints.resolve(), settings.logs.resolve()

    ray.init()
    gpus = int(ray.cluster_resources().get("GPU", 0))
    use_gpu = gpus > 0 if settings.use_gpu is None else settings.use_gpu
    workers = settings.workers or gpus or 2
    driver = Driver.remote()
    signal.signal(signal.SIGTERM, lambda *_: driver.interrupt.remote())
    ended = threading.Event()

    def print_lines() -> None:
        last = False
        while not last:
            last = ended.wait(0.2)
            for line in ray.get(driver.lines.remote()):
                training_run.say(**line)

    printer = threading.Thread(target=print_lines)
    printer.start()
    try:
        ray.train.torch.TorchTrainer(
            train_until_interrupted,
            train_loop_config={"settings": settings, "driver": driver},
            scaling_config=ray.train.ScalingConfig(num_workers=workers, use_gpu=use_gpu),
            run_config=ray.train.RunConfig(
                storage_path=str(settings.checkpoints / "ray"),
                failure_config=ray.train.FailureConfig(max_failures=RESTARTS),
            ),
        ).fit()
    finally:
        ended.set()
        printer.join()
    if ray.get(driver.interrupted.remote()):
        sys.exit(training_run.EXIT_CODE_WHEN_INTERRUPTED)


if __name__ == "__main__":
    main()
