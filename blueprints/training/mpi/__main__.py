"""Trains over MPI, and measures the network between the nodes, by the MPI operator."""

from pathlib import Path

from eksml import MpiTraining, MpiTrainingSpec, PlatformReference, files_of, workload_spec

here = Path(__file__).parent
platform = PlatformReference()
spec = workload_spec(MpiTrainingSpec, code=files_of(here / "train.py", here.parent / "training_run.py"))
MpiTraining("mpi", spec, bucket=platform.model_bucket, region=platform.region, opts=platform.opts)
