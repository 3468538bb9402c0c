"""Exports MobileNetV2 to a SavedModel, into the layout of TensorFlow Serving, and compares it with the original.

    uv run --group workload-tensorflow blueprints/inference/tensorflow-serving/export.py models

It writes FOLDER/pictures/VERSION/, which takes a batch of any size.
"""

import argparse
from pathlib import Path

import keras
import numpy
import tensorflow as tf

SIZE, CLASSES, TOP = 224, 1000, 5
# What 32-bit numbers differ by that are added up in another order, of probabilities.
TOLERANCE = 1e-5


def make_model(weights: str | None) -> keras.Model:
    """The network, with what comes before it: bytes become numbers from -1 to 1."""
    pictures = keras.Input((SIZE, SIZE, 3), dtype="uint8", name="image")
    numbers = keras.layers.Rescaling(1 / 127.5, offset=-1)(pictures)
    network = keras.applications.MobileNetV2((SIZE, SIZE, 3), weights=weights, classes=CLASSES)
    return keras.Model(pictures, network(numbers))


def main() -> None:
    """Exports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder of all models")
    parser.add_argument("--version", type=int, default=1, help="the version, a higher one than the last")
    parser.add_argument("--weights", help="imagenet, or a file of weights")
    settings = parser.parse_args()
    keras.utils.set_random_seed(0)
    model = make_model(settings.weights)
    folder = settings.folder / "pictures" / str(settings.version)
    folder.mkdir(parents=True)

    @tf.function(input_signature=[tf.TensorSpec((None, SIZE, SIZE, 3), tf.uint8, "image")])
    def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
        best = tf.math.top_k(model(image, training=False), TOP)
        return {"probabilities": best.values, "classes": best.indices}

    tf.saved_model.save(model, folder, signatures={"serving_default": serve})

    pictures = numpy.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), dtype=numpy.uint8)
    exported = tf.saved_model.load(folder).signatures["serving_default"](image=tf.constant(pictures))
    original = numpy.sort(model(pictures, training=False).numpy())[:, : -TOP - 1 : -1]
    difference = numpy.abs(exported["probabilities"].numpy() - original).max()
    if difference > TOLERANCE:
        raise SystemExit(f"{folder} answers otherwise than the original: by {difference:.2g}, more than {TOLERANCE:g}")
    print(f"{folder}: differs from the original by {difference:.1g}")


if __name__ == "__main__":
    main()
