"""Serves a JAX model with TensorFlow Serving, as a SavedModel."""

from eksml import PlatformReference, TensorFlowServing, TensorFlowServingSpec, workload_spec

platform = PlatformReference()
spec = workload_spec(TensorFlowServingSpec)
TensorFlowServing("fashion", spec, bucket=platform.model_bucket, region=platform.region, opts=platform.opts)
