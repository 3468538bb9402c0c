"""Trains with TensorFlow MultiWorkerMirrored, by the Kubeflow training operator."""

from pathlib import Path

from eksml import PlatformReference, TensorFlowTraining, TensorFlowTrainingSpec, files_of, workload_spec

here = Path(__file__).parent
platform = PlatformReference()
spec = workload_spec(TensorFlowTrainingSpec, code=files_of(here / "train.py", here.parent / "training_run.py"))
TensorFlowTraining("mnist-tf", spec, **platform.for_jobs)
