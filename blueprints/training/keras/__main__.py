"""Trains a Keras model on MNIST, on plain Kubernetes Jobs."""

from pathlib import Path

from eksml import NativeTraining, NativeTrainingSpec, PlatformReference, files_of, workload_spec

here = Path(__file__).parent
platform = PlatformReference()
spec = workload_spec(NativeTrainingSpec, code=files_of(here / "train.py", here.parent / "training_run.py"))
NativeTraining("mnist-keras", spec, **platform.for_jobs)
