"""Which nodes pods go to, and what they take of them: the vocabulary that jobs and servers share."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any

from pydantic import Field

from eksml import names
from eksml.catalog import InstanceType, ami_families, image_of, instance_types
from eksml.errors import Problem, listed, nearest
from eksml.nodes.karpenter_pool import CapacityType
from eksml.spec import PoolName, Spec

# A pod gets its share of nine tenths of a node; the rest is for DaemonSets. The checks know them exactly.
_SHARE_OF_NODE = 0.9
_CAPACITY = {CapacityType.SPOT: "spot", CapacityType.ON_DEMAND: "on-demand"}

Cpus = Annotated[float, Field(ge=0.1, le=1024)]


class PlacementSpec(Spec):
    """The nodes that pods go to, and each pod's share of one."""

    gpus_per_node: Annotated[int, Field(strict=True, ge=0, le=16)] = 0
    """GPUs for each pod, or shares of them where the pool shares its GPUs."""
    instance_type: str | None = None
    """The EC2 type of the nodes: all that depends on the hardware is derived from it, and the pods go to no other."""
    accelerator: str | None = None
    """The model of GPU, such as L4 or H100, in the place of instanceType: any type that has enough of them will do."""
    pool: PoolName | None = None
    """The pool that the pods go to; none given: any whose nodes fit."""
    capacity: CapacityType | None = None
    """Capacity of Karpenter's pools, spot or onDemand; none given: whichever the pool has."""
    cpus_per_node: Cpus | None = None
    """vCPUs for each pod, also a part of one; by default its share of the node, by GPUs."""
    memory_gib_per_node: Annotated[int, Field(strict=True, ge=1, le=32_768)] | None = None
    """Memory for each pod in GiB; by default its share of the node, by GPUs."""

    def rules(self) -> Iterator[Problem]:
        """The nodes exist, and have what a pod takes."""
        yield from self._by_accelerator() if self.accelerator is not None else self._by_instance_type()

    @property
    def types(self) -> dict[str, InstanceType]:
        """The instance types that the pods can go to, by name; none where neither type nor GPU is said."""
        if self.accelerator:
            return _types_with(self.accelerator, self.gpus_per_node)
        known = instance_types()
        return {self.instance_type: known[self.instance_type]} if self.instance_type in known else {}

    @property
    def cpus(self) -> float:
        """Cores for each pod, as vCPUs."""
        shares = (fact.pod_millicpu * self._share(fact) / 1000 for fact in self.types.values())
        return self.cpus_per_node or max(1, int(min(shares, default=1)))

    @property
    def memory_gib(self) -> int:
        """Memory for each pod, in GiB."""
        shares = (fact.pod_memory_mib * self._share(fact) / 1024 for fact in self.types.values())
        return self.memory_gib_per_node or max(1, int(min(shares, default=1)))

    @property
    def node_labels(self) -> dict[str, str]:
        """The labels of the nodes that the pods go to."""
        capacity = _CAPACITY[self.capacity] if self.capacity else None
        labels = {
            names.POOL_LABEL: self.pool,
            names.INSTANCE_TYPE_LABEL: self.instance_type,
            names.KARPENTER_CAPACITY_TYPE_LABEL: capacity,
        }
        return {label: value for label, value in labels.items() if value}

    @property
    def placement(self) -> dict[str, Any]:
        """The part of a pod's spec that says where it goes."""
        placement: dict[str, Any] = {"nodeSelector": self.node_labels}
        if self.gpus_per_node:
            placement["tolerations"] = [names.gpu_toleration()]
        if self.accelerator:
            types = {"key": names.INSTANCE_TYPE_LABEL, "operator": "In", "values": sorted(self.types)}
            required = {"nodeSelectorTerms": [{"matchExpressions": [types]}]}
            placement["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
        return placement

    @property
    def amounts(self) -> dict[str, str]:
        """What each pod asks for, and the most that it gets."""
        gpus = {names.GPU_RESOURCE: str(self.gpus_per_node)} if self.gpus_per_node else {}
        return {"cpu": f"{self.cpus:g}", "memory": f"{self.memory_gib}Gi", **gpus}

    def image_problems(self, image_reference: str) -> Iterator[Problem]:
        """Why an image does not run on these nodes."""
        image = image_of(image_reference)
        if self.gpus_per_node and image.for_cpus:
            yield Problem(("image",), f"{image_reference} is for CPUs, and gpusPerNode is {self.gpus_per_node}")
        driver = ami_families()["al2023"].nvidia_driver
        misfits = {name: image.misfit(fact, driver) for name, fact in self.types.items()}
        if misfits and all(misfits.values()):
            name, reason = next(iter(misfits.items()))
            yield Problem(("image",), f"{image_reference} does not run on {name}: {reason}")

    def _share(self, fact: InstanceType) -> float:
        count = fact.gpu.count if fact.gpu else 0
        return _SHARE_OF_NODE * (min(1, self.gpus_per_node / count) if count and self.gpus_per_node else 1)

    def _by_instance_type(self) -> Iterator[Problem]:
        if self.instance_type is None:
            for key, given in (("cpusPerNode", self.cpus_per_node), ("memoryGibPerNode", self.memory_gib_per_node)):
                if given is None:
                    yield Problem((key,), "missing: give it, or instanceType, which it is derived from")
            return
        fact = instance_types().get(self.instance_type)
        if fact is None:
            text = f"'{self.instance_type}' is not in the catalog{nearest(self.instance_type, instance_types())}"
            yield Problem(("instanceType",), text)
            return
        count = fact.gpu.count if fact.gpu else 0
        if self.gpus_per_node > count:
            has = f"{count}: take more nodes, or a larger type" if count else "no GPU"
            yield Problem(("gpusPerNode",), f"{self.gpus_per_node} given, {self.instance_type} has {has}")
        most = (
            ("cpusPerNode", self.cpus_per_node, fact.pod_millicpu // 1000, "vCPUs"),
            ("memoryGibPerNode", self.memory_gib_per_node, fact.pod_memory_mib // 1024, "GiB"),
        )
        for key, given, limit, unit in most:
            if given and given > limit:
                text = f"{given:g} given, pods can have {limit} {unit} of {self.instance_type}"
                yield Problem((key,), text)

    def _by_accelerator(self) -> Iterator[Problem]:
        model = str(self.accelerator)
        models = sorted({fact.gpu.model for fact in instance_types().values() if fact.gpu})
        if self.instance_type is not None:
            yield Problem(("accelerator",), "given, but instanceType says it already: give one of them")
        if model not in models:
            hint = nearest(model, models) or f", there is {listed(models)}"
            yield Problem(("accelerator",), f"'{model}' is not in the catalog{hint}")
        elif not self.gpus_per_node:
            yield Problem(("gpusPerNode",), f"missing: how many {model} each pod has")
        elif not self.types:
            most = max(fact.gpu.count for fact in _types_with(model).values() if fact.gpu)
            text = f"{self.gpus_per_node} given, no type has more than {most} {model}: take more nodes"
            yield Problem(("gpusPerNode",), text)


@cache
def _types_with(model: str, gpus: int = 0) -> dict[str, InstanceType]:
    """The instance types with at least so many GPUs of a model, by name."""
    return {
        name: fact
        for name, fact in instance_types().items()
        if fact.gpu and fact.gpu.model == model and fact.gpu.count >= gpus
    }
