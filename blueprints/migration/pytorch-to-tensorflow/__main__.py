"""Makes a SavedModel for TensorFlow Serving of a PyTorch model, if its outputs stay the same."""

from pathlib import Path

from eksml import NativeTraining, NativeTrainingSpec, PlatformReference, files_of, workload_spec

here = Path(__file__).parent
platform = PlatformReference()
code = files_of(here / "migrate.py", here.parent / "migration_run.py")
spec = workload_spec(NativeTrainingSpec, code=code, script="migrate.py")
NativeTraining("pytorch-to-tensorflow", spec, bucket=platform.model_bucket, region=platform.region, opts=platform.opts)
