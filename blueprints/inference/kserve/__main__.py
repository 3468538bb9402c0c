"""Serves a small language model as an InferenceService of KServe, on one GPU."""

from eksml import KServeInferenceService, KServeInferenceServiceSpec, PlatformReference, workload_spec

platform = PlatformReference()
spec = workload_spec(KServeInferenceServiceSpec)
KServeInferenceService("qwen", spec, bucket=platform.model_bucket, region=platform.region, opts=platform.opts)
