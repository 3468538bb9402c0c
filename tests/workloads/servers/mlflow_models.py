"""Registers folders as models, by MLflow's own client; those below one model are its versions, one after the other.

python mlflow_models.py FOLDER

FOLDER has MODEL/WAY/VERSION/ with the files of each. WAY: `files`, of a run; or `logged`, as a model of a flavour.
"""

import sys
from pathlib import Path

import mlflow


class Model(mlflow.pyfunc.PythonModel):
    """Any: its artifacts are what is wanted."""

    def predict(self, model_input: list[str]) -> list[str]:
        """Nothing."""
        return model_input


client = mlflow.MlflowClient()
mlflow.set_experiment("tests")
for folder in sorted(Path(sys.argv[1]).glob("*/*/*")):
    way, model = folder.parent.name, folder.parents[1].name
    with mlflow.start_run() as run:
        if way == "logged":
            made = mlflow.pyfunc.log_model(name="model", python_model=Model(), artifacts={"weights": str(folder)})
            mlflow.register_model(made.model_uri, model)
            continue
        mlflow.log_artifacts(str(folder), "model")
    if folder.name == "1":
        client.create_registered_model(model)
    client.create_model_version(model, f"runs:/{run.info.run_id}/model", run.info.run_id)
