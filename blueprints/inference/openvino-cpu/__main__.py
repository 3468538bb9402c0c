"""Serves a model on CPUs with OpenVINO Model Server."""

from eksml import OpenVinoServer, OpenVinoServerSpec, PlatformReference, workload_spec

platform = PlatformReference()
spec = workload_spec(OpenVinoServerSpec)
OpenVinoServer("resnet-cpu", spec, bucket=platform.model_bucket, region=platform.region, opts=platform.opts)
