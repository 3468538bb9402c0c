"""Searches hyperparameters with Optuna on Jobs side by side."""

from pathlib import Path

from eksml import HyperparameterSearch, HyperparameterSearchSpec, PlatformReference, files_of, workload_spec

here = Path(__file__).parent
platform = PlatformReference()
spec = workload_spec(HyperparameterSearchSpec, code=files_of(here / "train.py", here.parent / "training_run.py"))
HyperparameterSearch("optuna", spec, **platform.for_jobs)
