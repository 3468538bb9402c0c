"""Exports a network of JAX to a SavedModel, into the layout of TensorFlow Serving, and compares it with the original.

    uv run --group workload-keras blueprints/inference/jax/export.py models

It writes FOLDER/fashion/VERSION/, which takes a batch of any size. The weights of the blueprint training/jax are
state.npz of its model, or of a checkpoint.
"""

import argparse
from pathlib import Path

import jax
import numpy
import tensorflow as tf
from jax import numpy as jnp
from jax.experimental import jax2tf
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog

# What 32-bit numbers differ by that are added up in another order, of logits of about one.
TOLERANCE = 1e-4
LAYERS = ("conv1", "conv2", "conv3", "linear")


def make_parameters(key: jax.Array) -> dict[str, jax.Array]:
    """Three convolutions, each of which halves the image, and a linear layer, as in training/jax."""
    shapes = dict(zip(LAYERS, [(3, 3, 1, 32), (3, 3, 32, 64), (3, 3, 64, 128), (128, 10)], strict=True))
    keys = dict(zip(shapes, jax.random.split(key, len(shapes)), strict=True))
    return {name: jax.nn.initializers.he_normal()(keys[name], shape) for name, shape in shapes.items()}


def read_parameters(file: Path) -> dict[str, jax.Array]:
    """The parameters of a checkpoint, which come first in it, in the order of their names."""
    with numpy.load(file) as arrays:
        return {name: jnp.asarray(arrays[key]) for name, key in zip(sorted(LAYERS), arrays, strict=False)}


def logits(parameters: dict[str, jax.Array], images: jax.Array) -> jax.Array:
    """What the model says of each class."""
    for name in LAYERS[:-1]:
        images = jax.lax.conv_general_dilated(
            images, parameters[name], window_strides=(2, 2), padding="SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        images = jax.nn.relu(images)
    return images.mean(axis=(1, 2)) @ parameters["linear"]


def write_warm_up(version: Path) -> None:
    """Brings along a request that TensorFlow Serving answers when it loads the version, before clients': it is slow."""
    image = tf.make_tensor_proto(numpy.zeros((1, 28, 28, 1), numpy.float32))
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
    parser.add_argument("--weights", type=Path, help="state.npz of a checkpoint of training/jax")
    settings = parser.parse_args()
    parameters = read_parameters(settings.weights) if settings.weights else make_parameters(jax.random.key(0))
    folder = settings.folder / "fashion" / str(settings.version)
    folder.mkdir(parents=True)

    module = tf.Module()
    module.parameters = tf.nest.map_structure(tf.Variable, jax.tree.map(numpy.asarray, parameters))
    converted = jax2tf.convert(logits, polymorphic_shapes=[None, "(batch, 28, 28, 1)"], with_gradient=False)

    @tf.function(input_signature=[tf.TensorSpec((None, 28, 28, 1), tf.float32, "image")], autograph=False)
    def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"logits": converted(module.parameters, image)}

    tf.saved_model.save(module, folder, signatures={"serving_default": serve})
    write_warm_up(folder)

    images = numpy.random.default_rng(0).normal(size=(3, 28, 28, 1)).astype(numpy.float32)
    exported = tf.saved_model.load(folder).signatures["serving_default"](image=tf.constant(images))["logits"].numpy()
    difference = numpy.abs(exported - numpy.asarray(logits(parameters, images))).max()
    if difference > TOLERANCE:
        raise SystemExit(f"{folder} answers otherwise than the original: by {difference:.2g}, more than {TOLERANCE:g}")
    print(f"{folder}: differs from the original by {difference:.1g}")


if __name__ == "__main__":
    main()
