"""Searches hyperparameters with Ray Tune, by KubeRay."""

from pathlib import Path

from eksml import PlatformReference, RayTraining, RayTrainingSpec, files_of, workload_spec

here = Path(__file__).parent
platform = PlatformReference()
spec = workload_spec(RayTrainingSpec, code=files_of(here / "train.py", here.parent / "training_run.py"))
RayTraining("ray-tune", spec, **platform.for_jobs)
