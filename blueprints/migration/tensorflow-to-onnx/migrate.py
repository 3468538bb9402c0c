"""A Keras model or SavedModel becomes ONNX in a model repository of Triton, if its outputs stay the same.

    python migrate.py --model mnist.keras --name mnist

Without a model, a small network with random weights is migrated. What is written below --output/--name is what Triton
reads: config.pbtxt, labels, and VERSION/model.onnx with a report beside it.

    python migrate.py --back models/mnist/2 --output tensorflow --name mnist

makes a SavedModel for TensorFlow Serving of the same network.
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras

import migration_run
from migration_run import Migration, Network, OnnxModel

# The newest that tf2onnx is tested with.
OPSET = 18


def small_network() -> keras.Model:
    """Convolutions for images of 32 × 32."""
    image = keras.Input((32, 32, 3), name="image")
    layers = keras.layers.Conv2D(16, 3, padding="same", use_bias=False)(image)
    layers = keras.layers.ReLU()(keras.layers.BatchNormalization()(layers))
    layers = keras.layers.ReLU()(keras.layers.DepthwiseConv2D(3, 2, padding="same")(layers))
    layers = keras.layers.GlobalAveragePooling2D()(layers)
    return keras.Model(image, {"scores": keras.layers.Dense(10)(layers)})


def to_saved_model(model: Path | None, seed: int, folder: Path) -> Path:
    """The original as a SavedModel, which it may be already."""
    if model is not None and (model / "saved_model.pb").is_file():
        return model
    if model is not None and model.suffix != ".keras":
        raise SystemExit(f"--model: {model} is neither a .keras file nor a folder with a saved_model.pb")
    keras.utils.set_random_seed(seed)
    try:
        # What a file of Keras says is code as well as weights: safe_mode refuses the code.
        loaded = keras.saving.load_model(model, compile=False, safe_mode=True) if model else small_network()
    except Exception as error:
        raise SystemExit(f"--model: Keras does not load {model}: {error}") from None
    loaded.export(folder, verbose=False)
    return folder


def export(folder: Path, file: Path, channels_first: list[str]) -> None:
    """Writes a SavedModel as ONNX."""
    command = ["-m", "tf2onnx.convert", "--saved-model", str(folder), "--signature_def", "serving_default"]
    command += ["--output", str(file), "--opset", str(OPSET)]
    if channels_first:
        command += ["--inputs-as-nchw", ",".join(channels_first)]
    migration_run.run_tool("tf2onnx", *command, otherwise="TensorFlow Serving runs the model as it is")


def forward(settings: argparse.Namespace, work: Path) -> None:
    """From TensorFlow to ONNX."""
    source = {"framework": "TensorFlow", "model": str(settings.model or "small network, random weights")}
    if settings.model:
        source["sha256"] = migration_run.sha256(settings.model)
    migration = Migration(settings, source, work)
    folder = to_saved_model(settings.model, settings.seed, work / "original")
    original: Network = migration_run.saved_model(folder)
    export(folder, work / "model.onnx", [])
    onnx = OnnxModel(work / "model.onnx")
    if settings.layout == "nchw":
        # Which inputs are images, the file without it has said.
        export(folder, work / "model.onnx", [each.name for each in onnx.inputs if len(each.shape) == 3])
        onnx = OnnxModel(work / "model.onnx")
        original = migration_run.reordered(original, images=migration_run.to_nhwc)
    migration.compare("TensorFlow to ONNX", original, onnx, onnx.inputs)
    migration.publish_for_triton(onnx)


def back(settings: argparse.Namespace, work: Path) -> None:
    """From Triton to TensorFlow Serving, with the order of axes that the ONNX file has."""
    file = settings.back / "model.onnx"
    if not file.is_file():
        raise SystemExit(f"--back: {settings.back} has no model.onnx, so this script has not published it")
    migration = Migration(settings, {"framework": "ONNX", "version": str(settings.back)}, work)
    onnx = OnnxModel(file)
    converted = migration_run.onnx_to_saved_model(onnx, work, channels_last=False)
    migration.compare("ONNX to TensorFlow", onnx, migration_run.saved_model(converted), onnx.inputs)
    migration.publish_saved_model(converted, onnx)


def main() -> None:
    """Migrates."""
    parser = migration_run.arguments(__doc__, name="small-network", layout="nhwc")
    parser.add_argument("--model", type=Path, help="a .keras file, or the folder of a SavedModel")
    settings = parser.parse_args()
    if settings.model and not settings.model.exists():
        raise SystemExit(f"--model: {settings.model} is not there")
    with tempfile.TemporaryDirectory() as work:
        (back if settings.back else forward)(settings, Path(work))


if __name__ == "__main__":
    main()
