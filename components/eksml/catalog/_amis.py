"""Node images (AMIs) by family."""

from functools import cache

from eksml.catalog._facts import SourcedFact, load


class AmiFamily(SourcedFact):
    """One family of node images that EKS publishes."""

    ami_types: dict[str, dict[str, str]]
    """EKS AMI types by CPU architecture and accelerator."""
    releases: dict[str, str | None]
    """The pinned release per Kubernetes version; None: not known, EKS then takes its newest."""
    karpenter_alias: str
    pod_device: str
    """The device that holds images and pods."""
    os_device: str | None
    """The device of the operating system, where it has one of its own."""
    reserved_disk_gib: int | None
    """What the kubelet keeps for itself of the disk of pods; None: not known."""
    free_disk_percent: int
    """The share of that disk which stays free: with less the kubelet evicts pods, so they cannot ask for it."""
    has_device_plugin: bool
    nvidia_driver: str | None
    gpus_not_found_by_driver: tuple[str, ...]

    def pod_disk_mib(self, disk_mib: int) -> int:
        """What pods can ask for of a disk, in MiB."""
        return disk_mib * (100 - self.free_disk_percent) // 100 - (self.reserved_disk_gib or 0) * 1024


@cache
def ami_families() -> dict[str, AmiFamily]:
    """Every AMI family of the catalog, by name."""
    return {name: AmiFamily.model_validate(entry) for name, entry in load("amis.yaml")["families"].items()}
