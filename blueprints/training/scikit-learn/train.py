"""Who earns more than 50,000 dollars, from census data: scikit-learn prepares the table, XGBoost learns a tree a step.

    python train.py --steps 100

A checkpoint is the trees and the encoder that prepares a table for them; blueprints/inference/tabular serves both.

The data folder holds `adult.data`, the data set Adult of the UC Irvine repository. Without it, the script takes the
breast cancer data that comes with scikit-learn. It needs no GPU.
"""

from pathlib import Path

import joblib
import pandas
import xgboost
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder

import training_run

# Of adult.data, which does not say them.
COLUMNS = (
    "age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation", "relationship", "race",
    "sex", "capital_gain", "capital_loss", "hours_per_week", "native_country", "income",
)  # fmt: skip


def make_data(folder: Path | None) -> tuple[pandas.DataFrame, pandas.Series]:
    """Who is asked and what is known of them, and what is to be told: 1 or 0."""
    if folder is None:
        return load_breast_cancer(return_X_y=True, as_frame=True)
    table = pandas.read_csv(folder / "adult.data", names=COLUMNS, skipinitialspace=True)
    return table.drop(columns="income"), (table["income"] == ">50K").astype(int)


def main() -> None:
    """Trains."""
    parser = training_run.arguments(__doc__, steps=500, learning_rate=0.1, precisions=("fp32",))
    parser.add_argument("--depth", type=int, default=6, help="depth of each tree (6)")
    settings = parser.parse_args()

    people, answers = make_data(settings.data)
    words = make_column_selector(dtype_exclude="number")
    # A word that is new is none of those known. Never sparse: XGBoost takes the zeros of a sparse table for missing.
    encoder = OneHotEncoder(handle_unknown="ignore")
    prepare = make_column_transformer((encoder, words), remainder="passthrough", sparse_threshold=0)
    parts = train_test_split(prepare.fit_transform(people), answers, test_size=0.2, random_state=settings.seed)
    training, held_out = xgboost.DMatrix(parts[0], parts[2]), xgboost.DMatrix(parts[1], parts[3])

    parameters = {"objective": "binary:logistic", "eta": settings.learning_rate, "max_depth": settings.depth}
    model = xgboost.Booster({**parameters, "seed": settings.seed}, [training, held_out])

    def save(folder: Path) -> None:
        model.save_model(folder / "model.ubj")
        joblib.dump(prepare, folder / "prepare.joblib")

    def load(folder: Path) -> None:
        model.load_model(folder / "model.ubj")

    run = training_run.TrainingRun(settings)
    run.resume(load)
    for step in run.steps():
        model.update(training, step - 1)
        run.step_done(step, log_loss(parts[3], model.predict(held_out)), save)


if __name__ == "__main__":
    main()
