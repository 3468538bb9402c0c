"""Serves any model of the Hugging Face hub with Transformers, as a plain Deployment."""

from eksml import PlatformReference, TransformersServer, TransformersServerSpec, workload_spec

platform = PlatformReference()
spec = workload_spec(TransformersServerSpec)
TransformersServer("words", spec, bucket=platform.model_bucket, region=platform.region, opts=platform.opts)
