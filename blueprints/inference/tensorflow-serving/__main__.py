"""Serves a Keras model with TensorFlow Serving, in batches, by REST and gRPC."""

from eksml import PlatformReference, TensorFlowServing, TensorFlowServingSpec, workload_spec

platform = PlatformReference()
spec = workload_spec(TensorFlowServingSpec)
TensorFlowServing("pictures", spec, bucket=platform.model_bucket, region=platform.region, opts=platform.opts)
