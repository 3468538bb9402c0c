"""Serves a language model with vLLM on Ray Serve, on one GPU."""

from eksml import PlatformReference, RayServeVllm, RayServeVllmSpec, workload_spec

platform = PlatformReference()
spec = workload_spec(RayServeVllmSpec)
RayServeVllm("qwen", spec, bucket=platform.model_bucket, region=platform.region, opts=platform.opts)
