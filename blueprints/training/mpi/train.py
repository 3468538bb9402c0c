"""A network of two layers on MNIST, written out in NumPy and trained in parallel over MPI.

    mpirun -n 2 python train.py --steps 100

The data folder holds `mnist.npz`, as Keras distributes it. Every process calculates the gradient for its own examples,
and MPI's all-reduce adds them up. It needs no GPU; `all_reduce_bandwidth.py` measures the network that it needs.
"""

import signal
from pathlib import Path
from typing import Any

import numpy
from mpi4py import MPI

import training_run

CLASSES = 10
Examples = tuple[numpy.ndarray, numpy.ndarray]
SHAPES = {"weights1": (784, 128), "bias1": (128,), "weights2": (128, CLASSES), "bias2": (CLASSES,)}
SIZES = [int(numpy.prod(shape)) for shape in SHAPES.values()]
MOMENTUM = 0.9


def parts(vector: numpy.ndarray) -> dict[str, numpy.ndarray]:
    """The weights and biases in a vector of them all."""
    pieces = numpy.split(vector, numpy.cumsum(SIZES)[:-1])
    return {name: piece.reshape(shape) for (name, shape), piece in zip(SHAPES.items(), pieces, strict=True)}


def answers(p: dict[str, numpy.ndarray], images: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """What the first layer says of images, and the logarithm of the probability of each class."""
    hidden = numpy.maximum(images @ p["weights1"] + p["bias1"], 0)
    said = hidden @ p["weights2"] + p["bias2"]
    said -= said.max(axis=1, keepdims=True)
    return hidden, said - numpy.log(numpy.exp(said).sum(axis=1, keepdims=True))


def loss_and_gradient(parameters: numpy.ndarray, images: numpy.ndarray, labels: numpy.ndarray) -> tuple:
    """The cross-entropy of what the network says, and its derivative by each parameter."""
    p, gradient = parts(parameters), numpy.empty_like(parameters)
    hidden, log_probabilities = answers(p, images)
    right = numpy.eye(CLASSES, dtype=parameters.dtype)[labels]

    g = parts(gradient)
    by_said = (numpy.exp(log_probabilities) - right) / len(labels)
    by_hidden = by_said @ p["weights2"].T * (hidden > 0)
    g["weights1"][:], g["bias1"][:] = images.T @ by_hidden, by_hidden.sum(axis=0)
    g["weights2"][:], g["bias2"][:] = hidden.T @ by_said, by_said.sum(axis=0)
    return -(log_probabilities * right).sum() / len(labels), gradient


def make_data(folder: Path | None, seed: int) -> tuple[Examples, Examples]:
    """MNIST, or images of which each class has a pattern of its own: what is trained with, and what is held out."""
    if folder is None:
        random = numpy.random.default_rng(seed)
        labels = numpy.arange(1200) % CLASSES
        images = random.normal(scale=0.1, size=(CLASSES, 784))[labels] + random.normal(size=(1200, 784))
        return (images[:1000], labels[:1000]), (images[1000:], labels[1000:])
    with numpy.load(folder / "mnist.npz") as file:
        training = file["x_train"].reshape(-1, 784) / 255, file["y_train"]
        return training, (file["x_test"].reshape(-1, 784) / 255, file["y_test"])


def main() -> None:
    """Trains."""
    settings = training_run.arguments(
        __doc__, steps=5000, batch_size=128, learning_rate=0.05, precisions=("fp32",)
    ).parse_args()
    world = MPI.COMM_WORLD
    (images, labels), held_out = make_data(settings.data, settings.seed)
    start = numpy.random.default_rng(settings.seed).normal(scale=0.05, size=sum(SIZES))
    parameters, velocity = start.astype(numpy.float32), numpy.zeros(sum(SIZES), numpy.float32)

    def save(folder: Path) -> None:
        numpy.savez(folder / "state.npz", parameters=parameters, velocity=velocity)

    def load(folder: Path) -> None:
        with numpy.load(folder / "state.npz") as file:
            parameters[:], velocity[:] = file["parameters"], file["velocity"]

    def evaluate() -> dict[str, Any]:
        images, labels = (part[run.share(len(part), world.size)] for part in held_out)
        _, log_probabilities = answers(parts(parameters), images)
        right = log_probabilities.argmax(axis=1) == labels
        losses = -log_probabilities[range(len(labels)), labels]
        return {"heldOutLoss": losses.mean(), "heldOutAccuracy": right.mean()}

    def mean(numbers: list[float]) -> list[float]:
        return (world.allreduce(numpy.array(numbers)) / world.size).tolist()

    run = training_run.TrainingRun(settings, process=world.rank, mean=mean)
    # mpirun passes it on at once. Told to end by SIGTERM, it reads no more of what is printed, and kills soon after.
    signal.signal(signal.SIGUSR1, run.interrupt)
    run.resume(load)
    for step, batch in zip(run.steps(), run.batches(len(images), world.size), strict=False):
        loss, gradient = loss_and_gradient(parameters, images[batch].astype(numpy.float32), labels[batch])
        world.Allreduce(MPI.IN_PLACE, gradient)
        velocity[:] = MOMENTUM * velocity + gradient / world.size
        parameters -= settings.learning_rate * velocity
        run.step_done(step, loss, save, evaluate)


if __name__ == "__main__":
    main()
