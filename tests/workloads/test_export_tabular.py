"""What scikit-learn and XGBoost train answers the same as ONNX, words and all."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from eksml.catalog import engines
from workloads.data import adult
from workloads.exports import INFERENCE, check_exports, check_keeps_versions
from workloads.scripts import script

pytestmark = pytest.mark.workload(module="skl2onnx", group="workload-tabular")

STEPS = 20


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the census data, most columns of which are words."""
    folder = tmp_path_factory.mktemp("run")
    return trained(folder, "--data", str(adult(folder)))


@pytest.fixture(scope="module")
def repository(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    check_exports("tabular", folder, "--checkpoint", str(checkpoint))
    return folder


def trained(folder: Path, *words: str) -> Path:
    """The checkpoint of a short run of the training blueprint."""
    training = script("scikit-learn", folder, "--steps", str(STEPS), "--checkpoint-every", str(STEPS), *words)
    run = training.run()
    assert run.code == 0, run.errors[-5000:]
    return training.checkpoints / f"step-{STEPS:09}"


def session(repository: Path) -> Any:
    file = str(engines()["triton"].backends["onnxruntime"].model_file)
    return import_module("onnxruntime").InferenceSession(repository / "tabular/1" / file)


@pytest.mark.parametrize("rows", [1, 50])
def test_people_of_the_census_are_told_what_the_trees_tell(checkpoint: Path, repository: Path, rows: int) -> None:
    joblib, pandas, xgboost = (import_module(name) for name in ("joblib", "pandas", "xgboost"))

    prepare = joblib.load(checkpoint / "prepare.joblib")
    table = pandas.read_csv(
        checkpoint.parents[1] / "adult.data",
        names=[*prepare.feature_names_in_, "income"],
        skipinitialspace=True,
        nrows=rows,
    ).drop(columns="income")
    numbers = table.select_dtypes("number").columns
    asked = {name: table[[name]].to_numpy("float32" if name in numbers else object) for name in table}
    (told,) = session(repository).run(None, asked)

    trees = xgboost.Booster(model_file=checkpoint / "model.ubj")
    expected = trees.predict(xgboost.DMatrix(prepare.transform(table)))
    assert told.shape == (rows, 2)
    assert told[:, 1] == pytest.approx(expected, abs=1e-5)
    assert rows == 1 or expected.min() < expected.max()


def test_a_request_has_the_columns_of_the_table(repository: Path) -> None:
    inputs = {each.name: each.type for each in session(repository).get_inputs()}
    assert len(inputs) == 14
    assert inputs["age"] == "tensor(float)"
    assert inputs["workclass"] == "tensor(string)"


def test_a_table_without_words_is_served_too(tmp_path: Path) -> None:
    check_exports("tabular", tmp_path / "models", "--checkpoint", str(trained(tmp_path)))


def test_the_folder_is_the_model_of_the_settings(repository: Path) -> None:
    settings = yaml.safe_load((INFERENCE / "tabular/Pulumi.production.yaml").read_text())
    assert {each.name for each in repository.iterdir()} == set(settings["config"]["eksml:workload"]["models"])


def test_a_version_that_is_there_stays(checkpoint: Path, repository: Path) -> None:
    check_keeps_versions("tabular", repository, "--checkpoint", str(checkpoint))
