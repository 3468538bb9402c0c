"""Trains over MPI, and measures the network between the nodes, by the MPI operator."""

from pathlib import Path

from eksml import MpiTraining, MpiTrainingSpec, PlatformReference, files_of, workload_spec

here = Path(__file__).parent
platform = PlatformReference()
scripts = [here / "train.py", here / "all_reduce_bandwidth.py", here.parent / "training_run.py"]
spec = workload_spec(MpiTrainingSpec, code=files_of(*scripts))
MpiTraining("mpi", spec, **platform.for_jobs)
