"""Trains a convolutional network on MNIST with PyTorch, on plain Kubernetes Jobs by torchrun."""

from pathlib import Path

from eksml import NativeTraining, NativeTrainingSpec, PlatformReference, files_of, workload_spec

here = Path(__file__).parent
platform = PlatformReference()
spec = workload_spec(NativeTrainingSpec, code=files_of(here / "train.py", here.parent / "training_run.py"))
NativeTraining("mnist-native", spec, **platform.for_jobs)
