"""What fetches a registered model of MLflow before its server starts."""

from __future__ import annotations

from typing import Any

from eksml import names
from eksml.catalog import images
from eksml.containers import CONTAINER_SECURITY
from eksml.serving.model_source import MODEL_DIRECTORY, MlflowSource, ModelLayout
from eksml.serving.pod import MODELS_VOLUME
from eksml.serving.pod_scripts import script_command, scripts_mount

MLFLOW_SCRIPT = "mlflow_model.py"
# Where MLflow's own flavour of Transformers puts tokenizers and the like, apart from the weights.
_BESIDE_WEIGHTS = ("components/*",)


def mlflow_container(source: MlflowSource, layout: ModelLayout) -> dict[str, Any]:
    """The container that fetches a registered model into the volume of the pod, and ends.

    Its pod has `scripts_volume` of a ConfigMap with `mlflow_model.py`.

    Arguments:
        source: the model.
        layout: how it lies where the engine reads it.
    """
    options = {
        "--model": source.model,
        "--alias": source.alias,
        "--version": source.version,
        "--target": MODEL_DIRECTORY,
        "--mark": layout.marks,
        "--folder": layout.folder,
        "--beside": None if layout.folder else _BESIDE_WEIGHTS,
    }
    return {
        "name": "fetch-model",
        "image": images()["python"].reference,
        "command": script_command(MLFLOW_SCRIPT, options),
        "env": [
            {"name": "MLFLOW_TRACKING_URI", "value": names.MLFLOW_URL},
            _of_user("MLFLOW_TRACKING_USERNAME", "username"),
            _of_user("MLFLOW_TRACKING_PASSWORD", "password"),
            {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"},
        ],
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"cpu": "2", "memory": "256Mi"},
        },
        "securityContext": {**CONTAINER_SECURITY, "readOnlyRootFilesystem": True},
        "volumeMounts": [scripts_mount(), {"name": MODELS_VOLUME, "mountPath": MODEL_DIRECTORY}],
    }


def _of_user(variable: str, key: str) -> dict[str, Any]:
    # An MLflow that the network alone protects has no users.
    reference = {"name": names.MLFLOW_SECRET, "key": key, "optional": True}
    return {"name": variable, "valueFrom": {"secretKeyRef": reference}}
