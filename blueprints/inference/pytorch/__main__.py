"""Serves a PyTorch model with Triton, as TorchScript."""

from eksml import PlatformReference, TritonServer, TritonServerSpec, workload_spec

platform = PlatformReference()
spec = workload_spec(TritonServerSpec)
TritonServer("resnet-torch", spec, bucket=platform.model_bucket, region=platform.region, opts=platform.opts)
