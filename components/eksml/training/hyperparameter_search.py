"""The search for hyperparameters by jobs side by side: an Optuna study, or a sweep of Weights & Biases.

Ray Tune's search is a script for RayTraining.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from eksml import names
from eksml.errors import Problem
from eksml.secret_key import SecretKey
from eksml.spec import PositiveCount, Spec, pattern
from eksml.training.job import AnyFrameworkSpec
from eksml.training.training_job import JobObject, TrainingJob

_StudyName = Annotated[str, pattern(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$", "at most 128 letters, digits and ._-")]


class OptunaSearch(Spec):
    """A study in a PostgreSQL database, which the workers share and which outlives them."""

    kind: Literal["optuna"] = "optuna"
    storage: SecretKey
    """Where the database's address is, postgresql+psycopg://user:password@host/database, in the team's namespace."""
    study: _StudyName
    """Name of the study: a job of the same name goes on with its trials."""


class WandbSweep(Spec):
    """A sweep of Weights & Biases that exists; the workers are its agents."""

    kind: Literal["wandbSweep"] = "wandbSweep"
    api_key: SecretKey = SecretKey(secret=names.WANDB, key=names.WANDB_API_KEY)
    """Where the key of Weights & Biases is, in the team's namespace; by default where the platform puts it."""
    sweep: Annotated[str, pattern(r"^[^/\s]+/[^/\s]+/[^/\s]+$", "a sweep as entity/project/id")]
    """The sweep as entity/project/id."""


Search = Annotated[OptunaSearch | WandbSweep, Field(discriminator="kind")]


class HyperparameterSearchSpec(AnyFrameworkSpec):
    """A Job whose pods try one set of hyperparameters after the other, each by itself: nodes is their number."""

    search: Search
    """Who chooses the hyperparameters: optuna, or a sweep of Weights & Biases."""
    trials: PositiveCount = 20
    """Sets of hyperparameters that are tried, over all pods."""

    def rules(self) -> Iterator[Problem]:
        """Each pod has something to try, and nothing to say to the others."""
        yield from super().rules()
        if self.trials < self.nodes:
            yield Problem(("trials",), f"{self.trials} given, must be at least nodes, {self.nodes}")
        if self.efa:
            yield Problem(("efa",), "given, but each trial is one pod's")
        if isinstance(self.search, WandbSweep):
            yield from self.without_effect("a sweep, which says what is run", "script", "arguments")


class HyperparameterSearch(TrainingJob[HyperparameterSearchSpec]):
    """An indexed Job of workers that share a study."""

    def job(self, spec: HyperparameterSearchSpec) -> JobObject:
        """The Job of workers."""
        template = self.pods("worker", _command(spec), variables=_study(spec.search))
        template["spec"]["restartPolicy"] = "OnFailure"
        limit = {"activeDeadlineSeconds": spec.time_limit_hours * 3600} if spec.time_limit_hours else {}
        job = {
            "completionMode": "Indexed",
            "completions": spec.nodes,
            "parallelism": spec.nodes,
            "backoffLimit": spec.retries * spec.nodes,
            **limit,
            "template": template,
        }
        return JobObject("batch/v1", "Job", job)


def _command(spec: HyperparameterSearchSpec) -> list[str]:
    if isinstance(spec.search, WandbSweep):
        return ["wandb", "agent", f"--count={-(-spec.trials // spec.nodes)}", spec.search.sweep]
    return ["python", spec.script, f"--steps={spec.trials}", *spec.arguments]


def _study(search: OptunaSearch | WandbSweep) -> dict[str, Any]:
    if isinstance(search, WandbSweep):
        return {"WANDB_API_KEY": search.api_key}
    return {"STUDY_URL": search.storage, "STUDY_NAME": search.study}
