"""Container images at their pinned tags."""

import re
from functools import cache

from eksml.catalog._facts import SourcedFact, load, today
from eksml.catalog._gpus import gpus
from eksml.catalog._instance_types import InstanceType

_CUDA_IN_TAG = re.compile(r"(?:^|[-_.])cu(?:da)?-?(\d{2})\.?(\d)")


class Image(SourcedFact):
    """One container image."""

    repository: str
    tag: str
    architectures: tuple[str, ...] | None
    """The CPU architectures that it is built for; None: not known."""
    cuda: str | None = None
    """The version of CUDA in it; None: none, or not known."""
    for_cpus: bool = False
    """Whether it is for CPUs, with nothing in it that can use a GPU; False: it is not, or nobody would give it one."""
    compute_capabilities: tuple[str, ...] | None = None
    """The compute capabilities that its code is built for; None: it has no GPU code, or they are not known."""
    size_gb: float | None = None
    """What a node fetches for it, compressed, in GB (10^9 bytes); None: not known."""

    @property
    def reference(self) -> str:
        """The image with its tag, as pods name it."""
        return f"{self.repository}:{self.tag}"

    def misfit(self, instance_type: InstanceType, driver: str | None) -> str | None:
        """Why it does not run on nodes of an instance type with a driver; None where nothing known speaks against it.

        Code for a GPU runs on those of the same major compute capability and a higher minor one. A newer CUDA needs a
        newer driver: https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
        """
        if self.architectures and instance_type.architecture not in self.architectures:
            return f"it is built for {' and '.join(self.architectures)}, the nodes are {instance_type.architecture}"
        if instance_type.gpu is None:
            return None
        capability = gpus()[instance_type.gpu.model].compute_capability
        if self.compute_capabilities and not any(_covers(each, capability) for each in self.compute_capabilities):
            built = ", ".join(self.compute_capabilities)
            return f"its code is for compute capability {built}, the {instance_type.gpu.model} has {capability}"
        first = load("images.yaml")["cudaByCapability"].get(int(capability.partition(".")[0]))
        if self.cuda and first and _version(self.cuda) < _version(first):
            model = instance_type.gpu.model
            return f"CUDA {self.cuda} has no code for the {model}, compute capability {capability}: CUDA {first} has"
        needed = _driver_for(self.cuda)
        if driver and needed and int(driver.partition(".")[0]) < needed:
            return f"CUDA {self.cuda} needs driver {needed}, the nodes have {driver}"
        return None


def _covers(built_for: str, capability: str) -> bool:
    (major, minor), (wanted_major, wanted_minor) = (map(int, each.split(".")) for each in (built_for, capability))
    return major == wanted_major and minor <= wanted_minor


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _driver_for(cuda: str | None) -> int | None:
    return load("images.yaml")["driversByCuda"].get(int(cuda.partition(".")[0])) if cuda else None


def image_of(reference: str) -> Image:
    """What is known of an image that a pod names: what the catalog says, or else the CUDA that its tag names.

    A registry of one's own has the catalog's images below its address.
    """
    name = reference.partition("@")[0]
    for image in images().values():
        if f"/{name}".endswith(f"/{image.reference}"):
            return image
    repository, _, tag = name.rpartition(":")
    named = _CUDA_IN_TAG.search(tag)
    cuda = ".".join(named.groups()) if named else None
    return Image(repository=repository, tag=tag, architectures=None, cuda=cuda, source="its tag", date=today())


@cache
def images() -> dict[str, Image]:
    """Every image of the catalog, by name."""
    return {name: Image.model_validate(entry) for name, entry in load("images.yaml")["images"].items()}
