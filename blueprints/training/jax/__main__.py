"""Trains with JAX, by the Kubeflow training operator."""

from pathlib import Path

from eksml import JaxTraining, JaxTrainingSpec, PlatformReference, files_of, workload_spec

here = Path(__file__).parent
platform = PlatformReference()
spec = workload_spec(JaxTrainingSpec, code=files_of(here / "train.py", here.parent / "training_run.py"))
JaxTraining("fashion-mnist", spec, **platform.for_jobs)
