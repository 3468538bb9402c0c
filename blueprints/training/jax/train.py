"""A convolutional network on Fashion-MNIST, with JAX and Optax: every device has the model, and its part of a batch.

    python train.py --steps 100

The data folder holds Fashion-MNIST's train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz, and the same of t10k,
which is held out. Several processes find each other by COORDINATOR_ADDRESS, COORDINATOR_PORT, NUM_PROCESSES and
PROCESS_ID, as a JAXJob sets them.
"""

import gzip
import os
from pathlib import Path
from typing import Any

import jax
import numpy
import optax
from jax import numpy as jnp
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec

import training_run

CLASSES = 10
Examples = tuple[numpy.ndarray, numpy.ndarray]
PRECISIONS = {"fp32": jnp.float32, "bf16": jnp.bfloat16}


def make_parameters(key: jax.Array) -> dict[str, jax.Array]:
    """Three convolutions, each of which halves the image, and a linear layer."""
    shapes = {"conv1": (3, 3, 1, 32), "conv2": (3, 3, 32, 64), "conv3": (3, 3, 64, 128), "linear": (128, CLASSES)}
    keys = dict(zip(shapes, jax.random.split(key, len(shapes)), strict=True))
    return {name: jax.nn.initializers.he_normal()(keys[name], shape) for name, shape in shapes.items()}


def logits(parameters: dict[str, jax.Array], images: jax.Array) -> jax.Array:
    """What the model says of each class."""
    for name in ("conv1", "conv2", "conv3"):
        images = jax.lax.conv_general_dilated(
            images, parameters[name], window_strides=(2, 2), padding="SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        images = jax.nn.relu(images)
    return images.mean(axis=(1, 2)) @ parameters["linear"]


def make_data(folder: Path | None, seed: int) -> tuple[Examples, Examples]:
    """Fashion-MNIST, or images of which each class has a pattern of its own: to train with, and held out."""
    if folder is None:
        random = numpy.random.default_rng(seed)
        labels = numpy.arange(1200) % CLASSES
        patterns = random.normal(size=(CLASSES, 28, 28, 1))
        images = (patterns[labels] + random.normal(size=(1200, 28, 28, 1))).astype(numpy.float32)
        return (images[:1000], labels[:1000]), (images[1000:], labels[1000:])
    return read_images(folder, "train"), read_images(folder, "t10k")


def read_images(folder: Path, part: str) -> Examples:
    """Images and labels of one part of Fashion-MNIST."""
    images, labels = (
        numpy.frombuffer(gzip.decompress((folder / file).read_bytes()), numpy.uint8, offset=header)
        for file, header in ((f"{part}-images-idx3-ubyte.gz", 16), (f"{part}-labels-idx1-ubyte.gz", 8))
    )
    return images.reshape(-1, 28, 28, 1).astype(numpy.float32) / 255, labels.astype(numpy.int64)


def mean(numbers: list[float]) -> list[float]:
    """The mean of each number over all processes."""
    every = multihost_utils.process_allgather(numpy.array(numbers))
    return every.reshape(-1, len(numbers)).mean(axis=0).tolist()


def main() -> None:
    """Trains."""
    settings = training_run.arguments(
        __doc__, steps=5000, batch_size=256, learning_rate=1e-3, precisions=("fp32", "bf16")
    ).parse_args()
    if address := os.environ.get("COORDINATOR_ADDRESS"):
        address = f"{address}:{os.environ['COORDINATOR_PORT']}"
        jax.distributed.initialize(address, int(os.environ["NUM_PROCESSES"]), int(os.environ["PROCESS_ID"]))
    devices = jax.make_mesh((jax.device_count(),), ("devices",))
    split, copied = NamedSharding(devices, PartitionSpec("devices")), NamedSharding(devices, PartitionSpec())

    (images, labels), held_out = make_data(settings.data, settings.seed)
    optimizer = optax.adam(settings.learning_rate)
    precision = PRECISIONS[settings.precision]

    def make_state(key: jax.Array) -> tuple:
        parameters = make_parameters(key)
        return parameters, optimizer.init(parameters)

    state = jax.jit(make_state, out_shardings=copied)(jax.random.key(settings.seed))

    @jax.jit
    def say(parameters: dict[str, jax.Array], images: jax.Array) -> jax.Array:
        parameters = jax.tree.map(lambda parameter: parameter.astype(precision), parameters)
        return logits(parameters, images.astype(precision)).astype(jnp.float32)

    def loss_of(parameters: dict[str, jax.Array], images: jax.Array, labels: jax.Array) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(say(parameters, images), labels).mean()

    @jax.jit
    def train_step(state: tuple, images: jax.Array, labels: jax.Array) -> tuple[tuple, jax.Array]:
        parameters, optimizer_state = state
        loss, gradients = jax.value_and_grad(loss_of)(parameters, images, labels)
        updates, optimizer_state = optimizer.update(gradients, optimizer_state)
        return (optax.apply_updates(parameters, updates), optimizer_state), loss

    def save(folder: Path) -> None:
        numpy.savez(folder / "state.npz", *jax.tree.leaves(state))

    def load(folder: Path) -> None:
        nonlocal state
        with numpy.load(folder / "state.npz") as file:
            state = jax.tree.unflatten(jax.tree.structure(state), [jax.device_put(file[name], copied) for name in file])

    def export(folder: Path) -> None:
        numpy.savez(folder / "state.npz", *jax.tree.leaves(state[0]))

    def evaluate() -> dict[str, Any]:
        """On one device of each process, which has all parameters."""
        images, labels = (part[run.share(len(part), jax.process_count())] for part in held_out)
        parameters = jax.tree.map(lambda parameter: parameter.addressable_data(0), state[0])
        starts = range(0, len(images), settings.batch_size)
        said = numpy.concatenate([say(parameters, images[start : start + settings.batch_size]) for start in starts])
        losses = optax.softmax_cross_entropy_with_integer_labels(said, labels)
        return {"heldOutLoss": losses.mean(), "heldOutAccuracy": (said.argmax(axis=1) == labels).mean()}

    run = training_run.TrainingRun(settings, process=jax.process_index(), mean=mean)
    run.resume(load)
    for step, batch in zip(
        run.steps(export, mark="state.npz"), run.batches(len(images), jax.process_count()), strict=False
    ):
        images_of_step, labels_of_step = (
            jax.make_array_from_process_local_data(split, part[batch]) for part in (images, labels)
        )
        state, loss = train_step(state, images_of_step, labels_of_step)
        run.step_done(step, loss, save, evaluate)


if __name__ == "__main__":
    main()
