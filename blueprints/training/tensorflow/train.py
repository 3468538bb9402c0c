"""A convolutional network on MNIST, with TensorFlow's MultiWorkerMirroredStrategy: each worker has the whole model.

    python train.py --steps 100

The data folder holds `mnist.npz`, as Keras distributes it. Several workers find each other by TF_CONFIG, as a TFJob
sets it. The loop is our own, because Keras 3 has no `fit` over several workers.
"""

from pathlib import Path
from typing import Any

import numpy
import tensorflow
from tensorflow import distribute, keras

import training_run

CLASSES = 10
Examples = tuple[numpy.ndarray, numpy.ndarray]
PRECISIONS = {"fp32": "float32", "bf16": "mixed_bfloat16"}


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


def place(resolver: distribute.cluster_resolver.ClusterResolver) -> tuple[int, int]:
    """The number of this worker and how many there are. A chief comes before all others."""
    cluster = resolver.cluster_spec().as_dict()
    workers = [(role, number) for role in ("chief", "worker") for number in range(len(cluster.get(role, ())))]
    return (workers.index((resolver.task_type, resolver.task_id)), len(workers)) if workers else (0, 1)


def main() -> None:
    """Trains."""
    settings = training_run.arguments(
        __doc__, steps=5000, batch_size=128, learning_rate=1e-3, precisions=("fp32", "bf16"), exports=True
    ).parse_args()
    strategy = distribute.MultiWorkerMirroredStrategy()
    worker, workers = place(strategy.cluster_resolver)
    devices = strategy.num_replicas_in_sync // workers

    keras.utils.set_random_seed(settings.seed)
    keras.config.set_dtype_policy(PRECISIONS[settings.precision])
    (images, labels), held_out = make_data(settings.data, settings.seed)
    with strategy.scope():
        model = make_model()
        optimizer = keras.optimizers.Adam(settings.learning_rate)
        optimizer.build(model.trainable_variables)
    checkpoint = tensorflow.train.Checkpoint(model=model, optimizer=optimizer)

    def replica_step(images: tensorflow.Tensor, labels: tensorflow.Tensor) -> tensorflow.Tensor:
        with tensorflow.GradientTape() as tape:
            losses = keras.losses.sparse_categorical_crossentropy(labels, model(images), from_logits=True)
            loss = tensorflow.reduce_mean(losses) / strategy.num_replicas_in_sync
        # Adds up the gradients of all replicas.
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    @tensorflow.function
    def train_step(images: distribute.DistributedValues, labels: distribute.DistributedValues) -> tensorflow.Tensor:
        return strategy.reduce("SUM", strategy.run(replica_step, (images, labels)), axis=None)

    @tensorflow.function
    def all_reduce(numbers: tensorflow.Tensor) -> tensorflow.Tensor:
        return strategy.reduce("MEAN", strategy.run(tensorflow.identity, (numbers,)), axis=None)

    def for_each_device(part: numpy.ndarray, dtype: str) -> distribute.DistributedValues:
        """Splits this worker's part of a batch."""
        return strategy.experimental_distribute_values_from_function(
            lambda context: tensorflow.constant(part[context.replica_id_in_sync_group % devices :: devices], dtype)
        )

    def export(folder: Path) -> None:
        """Writes the model of one worker alone, in full precision."""
        keras.config.set_dtype_policy("float32")
        served = make_model()
        served.set_weights(model.get_weights())
        served.export(folder, verbose=False)

    run = training_run.TrainingRun(
        settings, process=worker, mean=lambda numbers: all_reduce(tensorflow.constant(numbers)).numpy().tolist()
    )

    def save(folder: Path) -> None:
        checkpoint.write(str(folder / "state"))

    def evaluate() -> dict[str, Any]:
        """On one device of each worker, which has the whole model."""
        images, labels = (part[run.share(len(part), workers)] for part in held_out)
        parts = tensorflow.data.Dataset.from_tensor_slices(images.astype("float32")).batch(settings.batch_size)
        said = numpy.concatenate([model(part, training=False) for part in parts])
        losses = keras.losses.sparse_categorical_crossentropy(labels, said, from_logits=True)
        right = said.argmax(axis=1) == labels
        return {"heldOutLoss": losses.numpy().mean(), "heldOutAccuracy": right.mean()}

    run.resume(lambda folder: checkpoint.read(str(folder / "state")).assert_consumed())
    for step, batch in zip(run.steps(export, mark="saved_model.pb"), run.batches(len(images), workers), strict=False):
        loss = train_step(for_each_device(images[batch], "float32"), for_each_device(labels[batch], "int64"))
        run.step_done(step, loss, save, evaluate)


if __name__ == "__main__":
    main()
