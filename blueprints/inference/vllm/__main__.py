"""Serves a language model with vLLM on one GPU, behind the protocol of OpenAI."""

from eksml import PlatformReference, VllmServer, VllmServerSpec, workload_spec

platform = PlatformReference()
spec = workload_spec(VllmServerSpec)
VllmServer("qwen", spec, bucket=platform.model_bucket, region=platform.region, opts=platform.opts)
