"""Makes an ONNX file for Triton of a Keras model or SavedModel, if its outputs stay the same; and serves it."""

from pathlib import Path

from eksml import MigratedVersionSpec, NativeTraining, NativeTrainingSpec, PlatformReference, files_of, workload_spec


class MigrationSpec(NativeTrainingSpec):
    """A Job that converts, and which of the versions that it published is served."""

    serve: MigratedVersionSpec | None = None
    """The version; null, or without a number: `pulumi up` only converts."""


here = Path(__file__).parent
platform = PlatformReference()
code = files_of(here / "migrate.py", here.parent / "migration_run.py")
spec = workload_spec(MigrationSpec, code=code, script="migrate.py")
handles = {"bucket": platform.model_bucket, "region": platform.region, "opts": platform.opts}
NativeTraining("tensorflow-to-onnx", spec, **handles)
if spec.serve and spec.serve.version:
    prefix = f"teams/{spec.namespace}/models/"
    spec.serve.deployment(prefix, "tensorflow", "onnx", namespace=spec.namespace).make(**handles)
