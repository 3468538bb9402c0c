"""Registers a folder as the next version of a model, by MLflow's own client, and gives it an alias.

python mlflow_models.py MODEL FOLDER ALIAS WAY

WAY: `files`, of a run; or `logged`, as a model that MLflow knows the flavour of.
"""

import sys

import mlflow


class Model(mlflow.pyfunc.PythonModel):
    """Any: its artifacts are what is wanted."""

    def predict(self, model_input: list[str]) -> list[str]:
        """Nothing."""
        return model_input


model, folder, alias, way = sys.argv[1:]
mlflow.set_experiment("tests")
with mlflow.start_run() as run:
    if way == "logged":
        made = mlflow.pyfunc.log_model(name="model", python_model=Model(), artifacts={"weights": folder})
        uri = made.model_uri
    else:
        mlflow.log_artifacts(folder, "model")
        uri = f"runs:/{run.info.run_id}/model"
client = mlflow.MlflowClient()
if way == "files":
    if not client.search_registered_models(f"name = '{model}'"):
        client.create_registered_model(model)
    version = client.create_model_version(model, uri, run.info.run_id).version
else:
    version = mlflow.register_model(uri, model).version
client.set_registered_model_alias(model, alias, version)
print(version)
