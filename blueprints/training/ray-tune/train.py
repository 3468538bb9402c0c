"""The best settings of a convolutional network for MNIST, searched by Ray Tune; ASHA ends the trials that lag behind.

    python train.py --steps 20

A step is a trial. The data folder holds `mnist.npz`, as Keras distributes it. Ray Tune writes what it knows into the
checkpoint folder again and again, so that must lie on EFS or FSx for Lustre: a mounted bucket does not allow it. Trials
that do not see the folder, on other nodes than the head, train without checkpoints.
"""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy
import ray
import torch
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search import BasicVariantGenerator
from torch import nn

import training_run

CLASSES = 10
SEARCH = "search"


def make_model(width: int) -> nn.Module:
    """Two convolutions and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, width, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(width, 2 * width, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(50 * width, CLASSES),
    )  # fmt: skip


def make_data(folder: Path | None) -> tuple[torch.Tensor, torch.Tensor]:
    """MNIST, or images of which each class has a pattern of its own."""
    if folder is None:
        labels = torch.arange(1000) % CLASSES
        return torch.randn(CLASSES, 1, 28, 28)[labels] + torch.randn(1000, 1, 28, 28), labels
    with numpy.load(folder / "mnist.npz") as file:
        return torch.from_numpy(file["x_train"])[:, None] / 255, torch.from_numpy(file["y_train"]).long()


def try_settings(config: dict[str, Any], settings: argparse.Namespace) -> None:
    """One trial: it reports how good it is at what is held out, and leaves a checkpoint, after each epoch."""
    torch.manual_seed(settings.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images, labels = (part.to(device) for part in make_data(settings.data))
    training = len(images) * 4 // 5
    model = make_model(config["width"]).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), config["learning_rate"], weight_decay=config["weight_decay"])
    parts, first_epoch = {"model": model, "optimizer": optimizer}, 0
    shared = (settings.checkpoints / SEARCH).is_dir()
    if checkpoint := tune.get_checkpoint():
        with checkpoint.as_directory() as folder:
            state = torch.load(Path(folder) / "state.pt", map_location=device, weights_only=True)
        first_epoch = state["epoch"] + 1
        for name, part in parts.items():
            part.load_state_dict(state[name])

    for epoch in range(first_epoch, settings.epochs):
        for batch in torch.randperm(training).split(settings.batch_size):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            said, right = model(images[training:]), labels[training:]
        accuracy = (said.argmax(dim=1) == right).float().mean().item()
        found = {"loss": nn.functional.cross_entropy(said, right).item(), "accuracy": accuracy, "epoch": epoch}
        if not shared:
            tune.report(found)
            continue
        with tempfile.TemporaryDirectory() as folder:
            state = {name: part.state_dict() for name, part in parts.items()}
            torch.save({**state, "epoch": epoch}, Path(folder) / "state.pt")
            tune.report(found, checkpoint=tune.Checkpoint.from_directory(folder))


class SearchRun(training_run.TrainingRun):
    """A search that Ray Tune ends and writes down as it does for Ctrl-C."""

    def interrupt(self, *_: object) -> None:
        """Has Ray Tune end."""
        os.kill(os.getpid(), signal.SIGINT)


class Report(tune.Callback):
    """Reports the best loss so far whenever a trial has ended. Ray Tune writes it down, and reads it to resume."""

    def __init__(self, settings: argparse.Namespace):
        self._settings = settings

    def __getstate__(self) -> dict[str, Any]:
        return {"_settings": self._settings}

    def setup(self, *_: Any, **__: Any) -> None:
        """Begins, before the first trial."""
        self._run = SearchRun(self._settings)
        self._run.resume(lambda folder: None)

    def on_trial_complete(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
        """Counts a trial, which Ray Tune does not call finished yet."""
        ended = [each for each in trials if each is trial or each.is_finished()]
        self._run.report(len(ended), min(each.last_result["loss"] for each in ended))


def main() -> None:
    """Searches."""
    parser = training_run.arguments(__doc__, steps=20, batch_size=64, learning_rate=1e-3, precisions=("fp32",))
    parser.add_argument("--epochs", type=int, default=10, help="epochs of a trial that does not lag behind (10)")
    parser.add_argument("--at-once", type=int, default=0, help="trials at a time (0: as many as there is room for)")
    settings = parser.parse_args()
    settings.checkpoints, settings.logs = settings.checkpoints.resolve(), settings.logs.resolve()

    ray.init()
    trainable = tune.with_resources(
        tune.with_parameters(try_settings, settings=settings), {"cpu": 1, "gpu": int("GPU" in ray.cluster_resources())}
    )
    search = settings.checkpoints / SEARCH
    if tune.Tuner.can_restore(search):
        tuner = tune.Tuner.restore(str(search), trainable, resume_errored=True)
        training_run.say(resumedFrom=tuner.get_results().num_terminated)
    else:
        rate = settings.learning_rate
        tuner = tune.Tuner(
            trainable,
            param_space={
                "width": tune.choice([8, 16, 32, 64]),
                "learning_rate": tune.loguniform(rate / 10, rate * 10),
                "weight_decay": tune.loguniform(1e-6, 1e-1),
            },
            tune_config=tune.TuneConfig(
                metric="loss",
                mode="min",
                num_samples=settings.steps,
                search_alg=BasicVariantGenerator(random_state=settings.seed, max_concurrent=settings.at_once),
                scheduler=ASHAScheduler(max_t=settings.epochs, grace_period=1, reduction_factor=3),
            ),
            run_config=tune.RunConfig(
                name=search.name, storage_path=str(search.parent), callbacks=[Report(settings)], verbose=0
            ),
        )
    results = tuner.fit()
    if results.num_terminated < settings.steps:
        sys.exit(training_run.EXIT_CODE_WHEN_INTERRUPTED)
    best = results.get_best_result()
    found = {name: best.metrics[name] for name in ("loss", "accuracy")}
    training_run.say(finished=len(results), best={**found, **best.config})


if __name__ == "__main__":
    main()
