"""Exports trees of XGBoost, and the encoder of scikit-learn before them, to ONNX, and compares them with the originals.

    uv run --group workload-tabular blueprints/inference/tabular/export.py models --checkpoint checkpoint

It writes FOLDER/tabular/VERSION/model.onnx, into the layout of a model repository. It takes a table of any length,
column by column, words as words, and answers with the probability of each class.
"""

import argparse
from pathlib import Path

import joblib
import numpy
import onnxruntime
import pandas
import xgboost
from onnx import ModelProto, compose
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as Features
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer

# What 32-bit numbers differ by that are added up in another order, of probabilities.
TOLERANCE = 1e-5
ROWS = 1000
# The oldest that has what both need, since two models become one only if they are of the same version.
OPSET, OPSET_OF_TREES = 15, 1


def main() -> None:
    """Exports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the model repository")
    parser.add_argument(
        "--checkpoint",
        type=Path,
        required=True,
        help="a checkpoint of your own: its encoder is a pickle, which is code",
    )
    parser.add_argument("--version", type=int, default=1, help="the version, a higher one than the last")
    settings = parser.parse_args()
    prepare = joblib.load(settings.checkpoint / "prepare.joblib")
    trees = xgboost.Booster(model_file=settings.checkpoint / "model.ubj")
    file = settings.folder / "tabular" / str(settings.version) / "model.onnx"
    file.parent.mkdir(parents=True)
    file.write_bytes(converted(prepare, trees).SerializeToString())

    table = made_up(prepare)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    columns = zip(session.get_inputs(), table, strict=True)
    (exported,) = session.run(["probabilities"], {each.name: table[[column]].to_numpy() for each, column in columns})
    original = trees.predict(xgboost.DMatrix(prepare.transform(table)))
    difference = numpy.abs(exported[:, 1] - original).max()
    if difference > TOLERANCE:
        raise SystemExit(f"{file} answers otherwise than the original: by {difference:.2g}, more than {TOLERANCE:g}")
    print(f"{file}: {file.stat().st_size / 2**10:.0f} KiB, differs from the original by {difference:.1g}")


def converted(prepare: ColumnTransformer, trees: xgboost.Booster) -> ModelProto:
    """Both as one model."""
    words = known_words(prepare)
    columns = [
        (name, (StringTensorType if name in words else FloatTensorType)([None, 1]))
        for name in prepare.feature_names_in_
    ]
    features = [("features", Features([None, trees.num_features()]))]
    opsets = {"": OPSET, "ai.onnx.ml": OPSET_OF_TREES}
    first = convert_sklearn(prepare, initial_types=columns, target_opset=opsets)
    second = convert_xgboost(trees, initial_types=features, target_opset=OPSET)
    joined = [(first.graph.output[0].name, "features")]
    return compose.merge_models(first, second, io_map=joined, outputs=["probabilities"])


def known_words(prepare: ColumnTransformer) -> dict[str, numpy.ndarray]:
    """The words that training saw, by the columns that have words."""
    _, encoder, columns = prepare.transformers_[0]
    return dict(zip(columns, encoder.categories_, strict=True)) if len(columns) else {}


def made_up(prepare: ColumnTransformer) -> pandas.DataFrame:
    """A table with numbers of every size, some of them missing, and with words that training saw, and a new one."""
    random, words = numpy.random.default_rng(0), known_words(prepare)

    def column(name: str) -> numpy.ndarray:
        if name in words:
            return random.choice([*words[name], "new"], ROWS).astype(object)
        numbers = random.lognormal(sigma=4, size=ROWS).astype(numpy.float32)
        return numpy.where(random.random(ROWS) < 0.1, numpy.float32("nan"), numbers)

    return pandas.DataFrame({name: column(name) for name in prepare.feature_names_in_})


if __name__ == "__main__":
    main()
