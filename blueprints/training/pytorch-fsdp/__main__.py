"""Trains a small GPT with PyTorch FSDP, by the Kubeflow training operator."""

from pathlib import Path

from eksml import PlatformReference, PyTorchTraining, PyTorchTrainingSpec, files_of, workload_spec

here = Path(__file__).parent
platform = PlatformReference()
spec = workload_spec(PyTorchTrainingSpec, code=files_of(here / "train.py", here.parent / "training_run.py"))
PyTorchTraining("gpt", spec, **platform.for_jobs)
