"""What a job does with MLflow: `write` logs a run with a model of the registry, `read` finds all of it again."""

import json
import sys
import tempfile
from pathlib import Path

import mlflow

NAME, ALIAS = "classifier", "champion"


def write() -> None:
    mlflow.set_experiment("vision")
    with mlflow.start_run(run_name="first") as run, tempfile.TemporaryDirectory() as folder:
        mlflow.log_param("learningRate", 0.1)
        mlflow.log_metric("loss", 0.25, step=3)
        path = Path(folder, "weights.bin")
        path.write_bytes(bytes(range(256)) * 4096)
        mlflow.log_artifact(str(path), "model")
    client = mlflow.MlflowClient()
    client.create_registered_model(NAME)
    version = client.create_model_version(NAME, f"{run.info.artifact_uri}/model", run.info.run_id)
    client.set_registered_model_alias(NAME, ALIAS, version.version)


def read() -> None:
    client = mlflow.MlflowClient()
    (run,) = mlflow.search_runs(experiment_names=["vision"], output_format="list")
    version = client.get_model_version_by_alias(NAME, ALIAS)
    with tempfile.TemporaryDirectory() as folder:
        source = client.get_model_version_download_uri(NAME, version.version)
        path = Path(mlflow.artifacts.download_artifacts(artifact_uri=source, dst_path=folder), "weights.bin")
        weights = path.stat().st_size
    found = {
        "experiments": sorted(each.name for each in client.search_experiments()),
        "params": run.data.params,
        "metrics": run.data.metrics,
        "version": version.version,
        "bytes": weights,
    }
    print(json.dumps(found))


for action in sys.argv[1:]:
    {"write": write, "read": read}[action]()
