"""Serves an ONNX model with Triton and ONNX Runtime, in batches, by two copies on one GPU."""

from eksml import PlatformReference, TritonServer, TritonServerSpec, workload_spec

platform = PlatformReference()
spec = workload_spec(TritonServerSpec)
TritonServer("resnet", spec, bucket=platform.model_bucket, region=platform.region, opts=platform.opts)
