"""Where a job's script records settings and losses: what its pods are told of MLflow and of Weights & Biases."""

from __future__ import annotations

from typing import Any, Literal

import pulumi

from eksml import names
from eksml.secret_key import SecretKey
from eksml.training.job import JobSpec
from eksml.training.pod import RUN_DIRECTORY

_WANDB_SETTINGS = ("WANDB_ENTITY", "WANDB_PROJECT", "WANDB_BASE_URL")


def tracker_variables(job: str, spec: JobSpec, tracking_uri: pulumi.Input[str | None] | None) -> dict[str, Any]:
    """The environment variables by which the clients of a job's trackers find them.

    Arguments:
        job: its name.
        spec: the job.
        tracking_uri: address of MLflow; None given: where a platform has it, inside the cluster.
    """
    variables: dict[str, Any] = {}
    if "mlflow" in spec.trackers:
        variables |= _of_mlflow(f"{spec.namespace}/{job}", tracking_uri)
    if "weightsAndBiases" in spec.trackers:
        variables |= _of_weights_and_biases()
    return variables


def _of_mlflow(experiment: str, tracking_uri: pulumi.Input[str | None] | None) -> dict[str, Any]:
    given: pulumi.Output[str | None] = pulumi.Output.from_input(tracking_uri)
    return {
        "MLFLOW_TRACKING_URI": names.MLFLOW_URL if tracking_uri is None else given.apply(_exported),
        # There are none where MLflow lets in whoever reaches it.
        "MLFLOW_TRACKING_USERNAME": _optional("secretKeyRef", names.MLFLOW_SECRET, "username"),
        "MLFLOW_TRACKING_PASSWORD": _optional("secretKeyRef", names.MLFLOW_SECRET, "password"),
        # Its client makes what is not there. In the experiment that all begin with, a team may write nothing.
        "MLFLOW_EXPERIMENT_NAME": experiment,
    }


def _of_weights_and_biases() -> dict[str, Any]:
    return {
        "WANDB_API_KEY": SecretKey(secret=names.WANDB, key=names.WANDB_API_KEY),
        **{variable: _optional("configMapKeyRef", names.WANDB, variable) for variable in _WANDB_SETTINGS},
        # Its own choice, beside the script, is not to be written.
        "WANDB_DIR": RUN_DIRECTORY,
    }


def _optional(kind: Literal["secretKeyRef", "configMapKeyRef"], name: str, key: str) -> dict[str, Any]:
    return {"valueFrom": {kind: {"name": name, "key": key, "optional": True}}}


def _exported(tracking_uri: str | None) -> str:
    if tracking_uri is None:
        raise pulumi.RunError("trackers: mlflow given, but the platform has none: give it tracking.mlflow")
    return tracking_uri
