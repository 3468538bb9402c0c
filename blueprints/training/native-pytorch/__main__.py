"""Trains a model with PyTorch on plain Kubernetes: `pulumi up` starts it, `eksml preview` shows it offline."""

from pathlib import Path

from eksml import NativeTraining, NativeTrainingSpec, PlatformReference, files_of, workload_spec

here = Path(__file__).parent
platform = PlatformReference()
spec = workload_spec(NativeTrainingSpec, code=files_of(here / "train.py"))
NativeTraining("resnet", spec, bucket=platform.model_bucket, opts=platform.opts)
