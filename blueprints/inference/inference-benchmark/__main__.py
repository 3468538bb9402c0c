"""Measures ResNets on CPUs and on a GPU, in batches, cold and warm, by several runtimes, on plain Kubernetes Jobs."""

from pathlib import Path

from eksml import NativeTraining, NativeTrainingSpec, PlatformReference, Spec, files_of, workload_spec


class Benchmark(Spec):
    """The same measurement on CPUs and on a GPU."""

    cpu: NativeTrainingSpec
    gpu: NativeTrainingSpec


platform, jobs, code = PlatformReference(), workload_spec(Benchmark), files_of(Path(__file__).parent / "benchmark.py")
for name, job in (("benchmark-cpu", jobs.cpu), ("benchmark-gpu", jobs.gpu)):
    spec = job.model_copy(update={"code": code})
    NativeTraining(name, spec, bucket=platform.model_bucket, region=platform.region, opts=platform.opts)
