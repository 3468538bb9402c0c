"""Serves trees of XGBoost on CPUs with Triton and ONNX Runtime."""

from eksml import PlatformReference, TritonServer, TritonServerSpec, workload_spec

platform = PlatformReference()
spec = workload_spec(TritonServerSpec)
TritonServer("tabular", spec, bucket=platform.model_bucket, region=platform.region, opts=platform.opts)
