"""Serves a language model with Triton and its vLLM backend, on one GPU."""

from eksml import PlatformReference, TritonServer, TritonServerSpec, workload_spec

platform = PlatformReference()
spec = workload_spec(TritonServerSpec)
TritonServer("qwen", spec, bucket=platform.model_bucket, region=platform.region, opts=platform.opts)
