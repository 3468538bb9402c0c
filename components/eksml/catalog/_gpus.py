"""NVIDIA GPUs: what code they run, and how they can be divided."""

from functools import cache

from eksml.catalog._facts import Fact, load


class GpuModel(Fact):
    """One model of GPU."""

    compute_capability: str
    peak_teraflops: float | None
    """What its tensor cores calculate in bfloat16, or in float16 where they have none, without sparsity; None: not
    known."""
    visible_gib: dict[int, float]
    """By memory in GiB: what CUDA shows of it, in GiB; missing: not known."""
    mig: dict[int, dict[str, int]] | None
    """By memory in GiB: MIG profiles, each with how many of it one GPU holds; empty: no MIG; None: not known."""

    def mig_profiles(self, memory_gib: float) -> dict[str, int]:
        """The profiles of a GPU with so much memory that are known."""
        return (self.mig or {}).get(round(memory_gib), {})


@cache
def gpus() -> dict[str, GpuModel]:
    """Every GPU of the catalog, by model."""
    return {model: GpuModel.model_validate(entry) for model, entry in load("gpus.yaml")["gpus"].items()}
