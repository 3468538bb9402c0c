"""What people can choose from when they start a notebook: made from the pools that their pods run in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from eksml import names
from eksml.catalog import InstanceType, ami_families, gpus, image_of
from eksml.errors import Problem, listed, nearest
from eksml.image_registry import image_of as catalog_image
from eksml.nodes.pool import PoolSpec
from eksml.nodes.sharing import Mig, Mps, TimeSlicing
from eksml.spec import PinnedImage, PoolName, Spec, pattern

_CPU_IMAGE, _GPU_IMAGE = "jupyter-scipy-notebook", "jupyter-pytorch-notebook"
# Without GPUs a node has no natural part.
_VCPUS, _MEMORY_GIB = 1, 4
# The rest of a node is for DaemonSets; the checks know them exactly.
_SHARE_OF_NODE = 0.9

# It stands on a page as it is.
Title = Annotated[str, pattern(r"^[^<>&\"']{1,80}$", "at most 80 characters without <, >, & and quotes")]


class NotebookProfile(Spec):
    """One kind of notebook server that people can choose."""

    pool: PoolName
    """The pool that its pods run in."""
    title: Title | None = None
    """What people read; by default what it is, such as `NVIDIA L4, shared by 4`."""
    gpus: Annotated[int, Field(strict=True, ge=1, le=16)] | None = None
    """GPUs for each server, or shares of one where the pool shares them; by default 1 in a pool with GPUs."""
    vcpus: Annotated[float, Field(ge=0.1, le=1024)] | None = None
    """vCPUs that are always each server's, of which it may use twice as many while nobody else does; by default its
    share of a node by GPUs, and 1 without."""
    memory_gib: Annotated[int, Field(strict=True, ge=1, le=32_768)] | None = None
    """Memory of each server in GiB, and no more; by default its share of a node by GPUs, and 4 without."""
    image: PinnedImage | None = None
    """Image of the servers; by default the Jupyter project's with PyTorch and CUDA on GPUs, with SciPy elsewhere."""


class _Size(NamedTuple):
    """What each server of a profile takes."""

    gpus: int
    vcpus: float
    most_vcpus: float
    memory_gib: int


def profiles_of(
    pools: tuple[str, ...], profiles: Mapping[str, NotebookProfile], known: Mapping[str, PoolSpec]
) -> dict[str, NotebookProfile]:
    """All profiles by name: one for each pool that exists, and those that are given, also in its place."""
    return {**{pool: NotebookProfile(pool=pool) for pool in pools if pool in known}, **profiles}


def profile_list(
    profiles: Mapping[str, NotebookProfile], pools: Mapping[str, PoolSpec], image_registry: str | None
) -> list[dict[str, Any]]:
    """What KubeSpawner is told of the profiles; those without GPUs come first, and the first one is chosen."""
    ordered = sorted(profiles.items(), key=lambda item: pools[item[1].pool].has_gpus)
    made = [_entry(name, profile, pools[profile.pool], image_registry) for name, profile in ordered]
    return [{**entry, "default": True} if index == 0 else entry for index, entry in enumerate(made)]


def largest(profiles: Mapping[str, NotebookProfile], pools: Mapping[str, PoolSpec]) -> tuple[float, int]:
    """The most vCPUs and GiB of memory that a server asks for."""
    sizes = [_size(profile, pools[profile.pool]) for profile in profiles.values()]
    return max(size.vcpus for size in sizes), max(size.memory_gib for size in sizes)


def _entry(name: str, profile: NotebookProfile, pool: PoolSpec, image_registry: str | None) -> dict[str, Any]:
    size = _size(profile, pool)
    override: dict[str, Any] = {
        "image": _image(profile, pool, image_registry),
        "cpu_guarantee": size.vcpus,
        "cpu_limit": size.most_vcpus,
        # What is used beyond what was asked for would be taken from others. Its G are GiB.
        "mem_guarantee": f"{size.memory_gib}G",
        "mem_limit": f"{size.memory_gib}G",
        "node_selector": {names.POOL_LABEL: profile.pool},
    }
    if size.gpus:
        amount = {names.GPU_RESOURCE: str(size.gpus)}
        override |= {
            "extra_resource_guarantees": amount,
            "extra_resource_limits": amount,
            "tolerations": [names.gpu_toleration()],
        }
    return {
        "slug": name,
        "display_name": profile.title or _title(pool, size.gpus),
        "description": _description(profile.pool, pool, size),
        "kubespawner_override": override,
    }


def _image(profile: NotebookProfile, pool: PoolSpec, image_registry: str | None) -> str:
    if profile.image:
        return profile.image
    return catalog_image(_GPU_IMAGE if pool.has_gpus else _CPU_IMAGE, image_registry)


def _size(profile: NotebookProfile, pool: PoolSpec) -> _Size:
    count = (profile.gpus or 1) if pool.has_gpus else 0
    smallest = _smallest(pool)
    if count:
        shares = [(fact, _SHARE_OF_NODE * min(1, count / max(1, pool.gpus_of(fact)))) for fact in pool.facts]
        vcpus = min((fact.pod_millicpu * share / 1000 for fact, share in shares), default=_VCPUS)
        memory = min((fact.pod_memory_mib * share / 1024 for fact, share in shares), default=_MEMORY_GIB)
    else:
        vcpus, memory = _VCPUS, _MEMORY_GIB
    asked = profile.vcpus or max(1, int(vcpus))
    most = max(asked, min(2 * asked, smallest.vcpu if smallest else 2 * asked))
    return _Size(count, asked, most, profile.memory_gib or max(1, int(memory)))


def _smallest(pool: PoolSpec) -> InstanceType | None:
    return min(pool.facts, key=lambda fact: fact.vcpu, default=None)


def _models(pool: PoolSpec) -> str:
    models = dict.fromkeys(fact.gpu.model for fact in pool.facts if fact.gpu)
    return f"NVIDIA {listed(models)}"


def _title(pool: PoolSpec, count: int) -> str:
    if not count:
        return "CPU"
    match pool.sharing:
        case TimeSlicing(replicas=replicas):
            return f"{_models(pool)}, in turns with up to {replicas - 1} others"
        case Mps(replicas=replicas):
            return f"{_models(pool)}, one of {replicas} shares"
        case Mig(profile=profile):
            return f"{_models(pool)}, {_of(count, f'instance of {profile}', f'instances of {profile}')}"
        case _:
            return f"{_models(pool)}, {_of(count, 'whole GPU', 'whole GPUs')}"


def _description(name: str, pool: PoolSpec, size: _Size) -> str:
    machine = f"{size.vcpus:g} vCPU, {size.memory_gib} GiB of memory, pool {name}"
    return f"{machine}. {_honestly(pool)}" if size.gpus else f"{machine}."


def _honestly(pool: PoolSpec) -> str:
    """What of a GPU is really one's own."""
    memory = listed(dict.fromkeys(f"{_memory(fact):g}" for fact in pool.facts if fact.gpu))
    match pool.sharing:
        case TimeSlicing():
            return f"None of its {memory} GiB of GPU memory is reserved for you: whoever takes it first has it."
        case Mps(replicas=replicas):
            return f"1/{replicas} of its {memory} GiB of GPU memory is yours; what crashes one share may end all."
        case Mig(profile=profile):
            return f"An instance of {profile} is yours alone, in hardware."
        case _:
            return f"{memory} GiB on each GPU, all yours while your server runs: stop it when you are done."


def _memory(fact: InstanceType) -> float:
    assert fact.gpu  # noqa: S101  # Asked for types with GPUs only.
    visible = gpus()[fact.gpu.model].visible_gib
    return round(visible.get(round(fact.gpu.memory_gib), fact.gpu.memory_gib))


def _of(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


def profile_problems(
    pools: tuple[str, ...], profiles: Mapping[str, NotebookProfile], known: Mapping[str, PoolSpec]
) -> Iterator[Problem]:
    """What people could choose and never get, on the pools of a platform."""
    for index, name in enumerate(pools):
        if name not in known:
            yield _no_pool(("pools", index), name, known)
        elif name not in profiles:
            yield from (Problem(("pools", index), text) for _, text in _misfits(NotebookProfile(pool=name), known))
    for name, profile in profiles.items():
        path = ("profiles", name)
        if profile.pool not in known:
            yield _no_pool((*path, "pool"), profile.pool, known)
        else:
            yield from (Problem((*path, field), text) for field, text in _misfits(profile, known))


def _no_pool(path: tuple[str | int, ...], name: str, known: Mapping[str, PoolSpec]) -> Problem:
    choices = nearest(name, known) or (f", there is {listed(known)}" if known else ", and there are none")
    return Problem(path, f"'{name}' is no pool{choices}")


def _misfits(profile: NotebookProfile, known: Mapping[str, PoolSpec]) -> Iterator[tuple[str, str]]:
    pool = known[profile.pool]
    yield from _gpu_misfits(profile, pool, known)
    cores = max((fact.pod_millicpu / 1000 for fact in pool.facts), default=0)
    memory = max((fact.pod_memory_mib / 1024 for fact in pool.facts), default=0)
    most = (("vcpus", profile.vcpus, cores, "vCPU"), ("memoryGib", profile.memory_gib, memory, "GiB"))
    for field, given, limit, unit in most:
        if given and limit and given > limit:
            yield field, f"{given:g} given, a pod can have {int(limit)} {unit} of the largest node of '{profile.pool}'"
    image = image_of(_image(profile, pool, None))
    driver = ami_families()[pool.ami_family].nvidia_driver
    misfits = {name: image.misfit(fact, driver) for name, fact in zip(pool.instance_types, pool.facts, strict=False)}
    if misfits and all(misfits.values()):
        name, reason = next(iter(misfits.items()))
        yield "image", f"{image.reference} does not run on {name} of '{profile.pool}': {reason}"


def _gpu_misfits(profile: NotebookProfile, pool: PoolSpec, known: Mapping[str, PoolSpec]) -> Iterator[tuple[str, str]]:
    if profile.gpus and not pool.has_gpus:
        others = [name for name, other in known.items() if other.has_gpus]
        right = f"take {listed(others)}, or no gpus" if others else "no pool has any, make one with accelerator: nvidia"
        yield "gpus", f"{profile.gpus} given, but the pool '{profile.pool}' has no GPUs: {right}"
    elif profile.gpus and profile.gpus > 1 and isinstance(pool.sharing, TimeSlicing | Mps):
        reason = "several shares are no more of a GPU, and the device plugin refuses them"
        yield "gpus", f"{profile.gpus} given, must be 1: {reason}"
    elif profile.gpus and pool.facts and profile.gpus > (most := max(map(pool.gpus_of, pool.facts))):
        yield "gpus", f"{profile.gpus} given, the largest node of '{profile.pool}' has {most}"
