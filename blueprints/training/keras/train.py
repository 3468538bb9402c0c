"""A convolutional network on MNIST, with Keras 3: one script for JAX, TensorFlow and PyTorch.

    KERAS_BACKEND=jax python train.py --steps 100

The data folder holds `mnist.npz`, as Keras distributes it. All GPUs of the machine are used, each for its part of a
batch, where the backend is JAX.
"""

import importlib.util
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy

import training_run

CLASSES = 10
Examples = tuple[numpy.ndarray, numpy.ndarray]
PRECISIONS = {"fp32": "float32", "bf16": "mixed_bfloat16", "fp16": "mixed_float16"}


def make_model() -> keras.Model:
    """The convolutional network of Keras's own first example."""
    layers = [
        keras.Input((28, 28, 1), name="image"),
        keras.layers.Conv2D(32, 3, activation="relu"),
        keras.layers.MaxPooling2D(2),
        keras.layers.Conv2D(64, 3, activation="relu"),
        keras.layers.MaxPooling2D(2),
        keras.layers.Flatten(),
        keras.layers.Dense(CLASSES, dtype="float32"),
    ]
    return keras.Sequential(layers)


def make_data(folder: Path | None, seed: int) -> tuple[Examples, Examples]:
    """MNIST, or images of which each class has a pattern of its own: what is trained with, and what is held out."""
    if folder is None:
        random = numpy.random.default_rng(seed)
        labels = numpy.arange(1200) % CLASSES
        images = random.normal(size=(CLASSES, 28, 28, 1))[labels] + random.normal(size=(1200, 28, 28, 1))
        return (images[:1000], labels[:1000]), (images[1000:], labels[1000:])
    with numpy.load(folder / "mnist.npz") as file:
        training = file["x_train"][..., None] / 255, file["y_train"]
        return training, (file["x_test"][..., None] / 255, file["y_test"])


def main() -> None:
    """Trains."""
    settings = training_run.arguments(
        __doc__, steps=5000, batch_size=128, learning_rate=1e-3, exports=True
    ).parse_args()
    keras.utils.set_random_seed(settings.seed)
    keras.config.set_dtype_policy(PRECISIONS[settings.precision])
    devices = len(keras.distribution.list_devices()) if keras.backend.backend() == "jax" else 1
    if devices > 1:
        keras.distribution.set_distribution(keras.distribution.DataParallel())

    (images, labels), held_out = make_data(settings.data, settings.seed)
    model = make_model()
    model.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )

    def save(folder: Path) -> None:
        model.save(folder / "model.keras")

    def load(folder: Path) -> None:
        nonlocal model
        model = keras.saving.load_model(folder / "model.keras")

    def export(folder: Path) -> None:
        """Writes the model of one device alone, in full precision."""
        keras.distribution.set_distribution(None)
        keras.config.set_dtype_policy("float32")
        served = make_model()
        served.set_weights(model.get_weights())
        served.export(folder, verbose=False)

    def evaluate() -> dict[str, Any]:
        # Every device takes as many.
        images, labels = (part[: len(part) // devices * devices] for part in held_out)
        found = model.evaluate(images, labels, settings.batch_size, verbose=0, return_dict=True)
        return {"heldOutLoss": found["loss"], "heldOutAccuracy": found["accuracy"]}

    # PyTorch makes none, and JAX has TensorFlow make it.
    makes_saved_models = keras.backend.backend() != "torch" and importlib.util.find_spec("tensorflow") is not None
    run = training_run.TrainingRun(settings)
    run.resume(load)
    for step, batch in zip(
        run.steps(export if makes_saved_models else None, mark="saved_model.pb"), run.batches(len(images)), strict=False
    ):
        loss, _ = model.train_on_batch(images[batch], labels[batch])
        run.step_done(step, loss, save, evaluate)


if __name__ == "__main__":
    main()
