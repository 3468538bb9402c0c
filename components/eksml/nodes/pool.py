"""What managed and Karpenter pools share: instance types, labels, the GPU taint, disks."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from eksml import names
from eksml.catalog import InstanceType, ami_families, frameworks, gpus, instance_types
from eksml.errors import Problem, listed, nearest, repetitions
from eksml.nodes.sharing import Mig, Sharing, bottlerocket_settings, mig_profiles, shares, sharing_labels
from eksml.spec import Flag, LabelKey, LabelValue, Spec, Zone

_GPU_VOLUME_GIB, _CPU_VOLUME_GIB, _OS_VOLUME_GIB = 200, 50, 4
_RESERVED_DOMAINS = (
    "kubernetes.io",
    "k8s.io",
    "karpenter.sh",
    "karpenter.k8s.aws",
    "eks.amazonaws.com",
    "nvidia.com",
    "eksml.dev",
)


class Accelerator(StrEnum):
    """What the nodes of a pool compute with."""

    NONE = "none"
    """CPUs only: the pool takes pods without a GPU, and the platform's own."""
    NVIDIA = "nvidia"
    """NVIDIA GPUs: the pool is tainted, and takes only pods that tolerate it."""


class AmiFamily(StrEnum):
    """The operating system of a pool's nodes."""

    AL2023 = "al2023"
    """Amazon Linux 2023; on GPU nodes with NVIDIA's driver and container toolkit."""
    BOTTLEROCKET = "bottlerocket"
    """Bottlerocket; on GPU nodes with a device plugin of its own too."""


class PoolSpec(Spec):
    """The fields that every pool has."""

    accelerator: Accelerator = Accelerator.NONE
    """What its nodes compute with: none, or nvidia."""
    instance_types: Annotated[tuple[str, ...], Field(min_length=1)]
    """EC2 instance types, all of one CPU architecture; several make capacity easier to get."""
    zones: tuple[Zone, ...] = ()
    """Zones of the network to put nodes in; none given: all of them."""
    ami_family: AmiFamily = AmiFamily.AL2023
    """Operating system of the nodes: al2023, or bottlerocket."""
    volume_gib: Annotated[int, Field(strict=True, ge=20, le=16_384)] | None = None
    """Size of the encrypted disk for images and pods, in GiB; by default 200 on GPU nodes and 50 on others."""
    sharing: Sharing | None = None
    """How pods share a GPU: timeSlicing, mps or mig; none given: each GPU belongs to one pod."""
    efa: Flag = False
    """Whether the nodes have EFA, the network for training over several nodes; it needs one zone."""
    placement_group: Flag = False
    """Whether EC2 puts the nodes close together, for which it may have no room; it needs one zone."""
    framework: str | None = None
    """The framework that the pool is dedicated to, such as pytorch: jobs with `dedicated: true` go nowhere else."""
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """Labels for the nodes, beside those of the platform."""

    def rules(self) -> Iterator[Problem]:
        """The instance types exist, go together, and have what the pool says that they have."""
        yield from _instance_type_problems(self)
        if self.has_gpus and self.volume_gib is not None and self.volume_gib < _GPU_VOLUME_GIB:
            reason = "images with CUDA are 10 GB and more"
            yield Problem(
                ("volumeGib",), f"{self.volume_gib} given, must be at least {_GPU_VOLUME_GIB} on GPU nodes: {reason}"
            )
        yield from repetitions(("zones",), self.zones)
        if self.framework is not None and self.framework not in frameworks():
            near = nearest(self.framework, frameworks()) or f", must be {listed(frameworks())}"
            yield Problem(("framework",), f"'{self.framework}' given{near}")
        yield from _sharing_problems(self)
        yield from _close_network_problems(self)
        for key in self.labels:
            domain = key.partition("/")[0] if "/" in key else ""
            if any(domain == reserved or domain.endswith(f".{reserved}") for reserved in _RESERVED_DOMAINS):
                yield Problem(("labels", key), f"labels of {domain} are set by others, use a domain of your own")

    @property
    def has_gpus(self) -> bool:
        """Whether its nodes have GPUs."""
        return self.accelerator is Accelerator.NVIDIA

    @property
    def facts(self) -> list[InstanceType]:
        """The catalog's entries of its instance types."""
        return [instance_types()[name] for name in self.instance_types if name in instance_types()]

    @property
    def architecture(self) -> str:
        """The CPU architecture of its nodes, `amd64` or `arm64`; the former where the catalog knows no type of it."""
        return next((fact.architecture for fact in self.facts), "amd64")

    @property
    def disk_gib(self) -> int:
        """Size of the disk for images and pods, in GiB."""
        return self.volume_gib or (_GPU_VOLUME_GIB if self.has_gpus else _CPU_VOLUME_GIB)

    @property
    def disks(self) -> dict[str, int]:
        """The size in GiB of each disk of its nodes, by device."""
        family = ami_families()[self.ami_family]
        return ({family.os_device: _OS_VOLUME_GIB} if family.os_device else {}) | {family.pod_device: self.disk_gib}

    @property
    def has_instance_store(self) -> bool:
        """Whether pods can use the NVMe disks of the nodes: every type has them, and the image joins them into one."""
        return self.ami_family is AmiFamily.AL2023 and all(fact.nvme_gb for fact in self.facts)

    def node_labels(self, pool: str) -> dict[str, str]:
        """The labels of its nodes, given the pool's name."""
        gpu = {names.GPU_LABEL: names.GPU_LABEL_VALUE} if self.has_gpus else {}
        efa = {names.EFA_LABEL: names.EFA_LABEL_VALUE} if self.efa else {}
        framework = {names.FRAMEWORK_LABEL: self.framework} if self.framework else {}
        # Bottlerocket shares by its own settings, which the labels of NVIDIA's device plugin do not reach.
        sharing = sharing_labels(self.sharing) if self.ami_family is AmiFamily.AL2023 else {}
        own = {names.POOL_LABEL: pool, names.AMI_FAMILY_LABEL: self.ami_family}
        return {**self.labels, **own, **framework, **gpu, **efa, **sharing}

    def node_taints(self) -> list[dict[str, str]]:
        """The taints of its nodes, as Kubernetes writes them."""
        if not self.has_gpus:
            return []
        return [{"key": names.GPU_TAINT_KEY, "value": names.GPU_TAINT_VALUE, "effect": names.GPU_TAINT_EFFECT}]

    def gpus_of(self, fact: InstanceType) -> int:
        """How many GPUs, or shares of GPUs, a node of an instance type offers to pods."""
        return fact.gpu.count * shares(self.sharing, fact) if self.has_gpus and fact.gpu else 0

    @property
    def bottlerocket_settings(self) -> str | None:
        """Settings of its nodes as TOML, where they run Bottlerocket and share GPUs."""
        return bottlerocket_settings(self.sharing) if self.ami_family is AmiFamily.BOTTLEROCKET else None

    def subnets_of(self, subnets: Mapping[str, Any]) -> list[Any]:
        """Of the network's subnets by zone, those that its nodes go to."""
        return [subnet for zone, subnet in subnets.items() if not self.zones or zone in self.zones]


def _sharing_problems(spec: PoolSpec) -> Iterator[Problem]:
    if spec.sharing is None:
        return
    if not spec.has_gpus:
        yield Problem(("sharing",), "given, but the pool has no GPUs")
    if not isinstance(spec.sharing, Mig):
        return
    if spec.ami_family is AmiFamily.BOTTLEROCKET:
        yield Problem(("sharing",), "mig given, but the GPU operator does not run on bottlerocket: take al2023")
    for index, name in enumerate(spec.instance_types):
        fact = instance_types().get(name)
        if fact and fact.gpu and spec.sharing.profile not in (profiles := mig_profiles(fact)):
            choices = f"it has {', '.join(profiles)}" if profiles else f"MIG of its {fact.gpu.model} is not known"
            has_none = gpus()[fact.gpu.model].mig == {}
            reason = f"its {fact.gpu.model} has no MIG" if has_none else choices
            yield Problem(("instanceTypes", index), f"{name} has no MIG profile '{spec.sharing.profile}': {reason}")


def _close_network_problems(spec: PoolSpec) -> Iterator[Problem]:
    for key, is_set in (("efa", spec.efa), ("placementGroup", spec.placement_group)):
        if is_set and len(spec.zones) != 1:
            yield Problem(("zones",), f"{len(spec.zones)} given, must be one: {key} works within a zone")
    if not spec.efa:
        return
    known = [
        (index, name, instance_types()[name])
        for index, name in enumerate(spec.instance_types)
        if name in instance_types()
    ]
    for index, name, fact in known:
        if fact.efa_interfaces == 0:
            yield Problem(("instanceTypes", index), f"{name} has no EFA")
        elif fact.efa_first_card is None:
            yield Problem(("instanceTypes", index), f"which network cards of {name} have EFA is not known")
        elif fact.efa_layout != known[0][2].efa_layout:
            yield Problem(
                ("instanceTypes", index),
                f"{name} has {fact.efa_interfaces} EFA interfaces and {known[0][1]} {known[0][2].efa_interfaces}: "
                "make a pool of each",
            )


def _instance_type_problems(spec: PoolSpec) -> Iterator[Problem]:
    known = instance_types()
    found: dict[str, InstanceType] = {}
    for index, name in enumerate(spec.instance_types):
        path = ("instanceTypes", index)
        if name not in known:
            yield Problem(path, f"'{name}' is not in the catalog{nearest(name, known)}")
        elif name in found:
            yield Problem(path, f"'{name}' is listed twice")
        else:
            found[name] = known[name]
            yield from (Problem(path, text) for text in _misfits(name, found, spec))


def _misfits(name: str, found: Mapping[str, InstanceType], spec: PoolSpec) -> Iterator[str]:
    fact = found[name]
    first_name, first = next(iter(found.items()))
    if fact.architecture != first.architecture:
        yield f"{name} is {fact.architecture} and {first_name} is {first.architecture}: make a pool of each"
    if fact.accelerator == "neuron":
        yield f"{name} has {fact.neuron.model if fact.neuron else 'Neuron'} devices, which no component here can use"
    elif spec.has_gpus and fact.gpu is None:
        yield f"{name} has no GPU; take a type that has, or set accelerator: none"
    elif not spec.has_gpus and fact.gpu is not None:
        yield f"{name} has GPUs ({fact.gpu.model}), set accelerator: nvidia"
    elif fact.gpu is not None and fact.gpu.count == 0:
        yield f"{name} has a fraction of one {fact.gpu.model}, which Kubernetes cannot hand out; take a whole GPU"
    elif fact.gpu is not None and fact.gpu.model in ami_families()[spec.ami_family].gpus_not_found_by_driver:
        driver = ami_families()[spec.ami_family].nvidia_driver
        yield f"{name}: the driver {driver} of the {spec.ami_family} image does not find its {fact.gpu.model}"
