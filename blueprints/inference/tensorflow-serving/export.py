"""Exports MobileNetV2 to a SavedModel, into the layout of TensorFlow Serving, and compares it with the original.

    uv run --group workload-tensorflow blueprints/inference/tensorflow-serving/export.py models

It writes FOLDER/pictures/VERSION/, which takes a batch of any size.
"""

import argparse
from pathlib import Path

import keras
import numpy
import tensorflow as tf
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog

SIZE, CLASSES, TOP = 224, 1000, 5
# What 32-bit numbers differ by that are added up in another order, of probabilities.
TOLERANCE = 1e-5


def make_model(weights: str | None) -> keras.Model:
    """The network, with what comes before it: bytes become numbers from -1 to 1."""
    pictures = keras.Input((SIZE, SIZE, 3), dtype="uint8", name="image")
    numbers = keras.layers.Rescaling(1 / 127.5, offset=-1)(pictures)
    network = keras.applications.MobileNetV2((SIZE, SIZE, 3), weights=weights, classes=CLASSES)
    return keras.Model(pictures, network(numbers))


def write_warm_up(version: Path) -> None:
    """Brings along a request that TensorFlow Serving answers when it loads the version, before clients': it is slow."""
    image = tf.make_tensor_proto(numpy.zeros((1, SIZE, SIZE, 3), numpy.uint8))
    spec = ModelSpec(name=version.parent.name, signature_name="serving_default")
    log = PredictionLog(predict_log=PredictLog(request=PredictRequest(model_spec=spec, inputs={"image": image})))
    file = version / "assets.extra" / "tf_serving_warmup_requests"
    file.parent.mkdir()
    with tf.io.TFRecordWriter(str(file)) as writer:
        writer.write(log.SerializeToString())


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
    write_warm_up(folder)

    pictures = numpy.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), dtype=numpy.uint8)
    exported = tf.saved_model.load(folder).signatures["serving_default"](image=tf.constant(pictures))
    original = numpy.sort(model(pictures, training=False).numpy())[:, : -TOP - 1 : -1]
    difference = numpy.abs(exported["probabilities"].numpy() - original).max()
    if difference > TOLERANCE:
        raise SystemExit(f"{folder} answers otherwise than the original: by {difference:.2g}, more than {TOLERANCE:g}")
    print(f"{folder}: differs from the original by {difference:.1g}")


if __name__ == "__main__":
    main()
