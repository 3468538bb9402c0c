"""The nodes that a Plan's pools can have, as a scheduler sees them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import floor
from typing import Any, NamedTuple

from eksml import names
from eksml.catalog import InstanceType, ami_families, gpus, instance_types
from eksml.checks.quantities import amount_of
from eksml.plan import Plan, Resource

NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
NODE_POOL = "kubernetes:karpenter.sh/v1:NodePool"
NODE_CLASS = "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass"


@dataclass(frozen=True)
class Node:
    """A node of one instance type in one pool."""

    pool: Resource
    instance_type: str
    fact: InstanceType
    labels: Mapping[str, str]
    taints: tuple[Mapping[str, str], ...]
    ami_family: str
    gpus: int
    """GPUs, or shares of GPUs, that pods can ask for."""
    efa: int
    disk_mib: int | None
    """The disk of its pods; None: not known."""
    most: int | None
    """The most nodes of this type that the pool can have; None: as many as it likes."""
    ebs_gib: float = 0
    """The size of its EBS disks, in GiB, as far as it is known."""

    @property
    def allocatable(self) -> dict[str, int]:
        """What pods can ask for, as far as it is known: cores in thousandths, memory and disk in MiB, others whole."""
        family = ami_families()[self.ami_family]
        return {
            "cpu": self.fact.pod_millicpu,
            "memory": self.fact.pod_memory_mib,
            names.GPU_RESOURCE: self.gpus,
            names.EFA_RESOURCE: self.efa,
            **({} if self.disk_mib is None else {"ephemeral-storage": family.pod_disk_mib(self.disk_mib)}),
        }

    @property
    def capacity(self) -> dict[str, int]:
        """What it has in all, as Karpenter counts it against the limits of a pool."""
        memory = int(self.fact.memory_gib * 1024)
        return {"cpu": self.fact.vcpu * 1000, "memory": memory, names.GPU_RESOURCE: self.gpus}


@lru_cache(maxsize=1)
def nodes_of(plan: Plan) -> tuple[Node, ...]:
    """Every kind of node that the pools of a Plan can have. Types that the catalog lacks are left out."""
    return tuple(node for template in (*_managed(plan), *_elastic(plan)) for node in _nodes(template))


def has_all_nodes(plan: Plan) -> bool:
    """Whether the Plan makes every node of its cluster: a cluster that exists has some of its own."""
    makes_cluster = plan.of_type("eks:index:Cluster") or plan.of_type("aws:eks/cluster:Cluster")
    return bool(makes_cluster and (plan.of_type(NODE_GROUP) or plan.of_type(NODE_POOL)))


def most_nodes(node: Node) -> int | None:
    """How many of a kind of node its pool can have: Karpenter brings none beyond a limit. None: no limit."""
    if node.pool.type == NODE_GROUP:
        return node.most
    bounds = [
        floor(amount_of(resource, limit) / node.capacity[resource])
        for resource, limit in (node.pool.inputs["spec"].get("limits") or {}).items()
        if node.capacity.get(resource)
    ]
    return min(bounds, default=None)


def capacity_types(pool: Resource) -> set[str]:
    """Which of spot, demand and block the nodes of a pool may be; a reservation counts, and is billed, as on demand."""
    if pool.type == NODE_GROUP:
        kind = str(pool.inputs.get("capacityType", "ON_DEMAND"))
        return {{"SPOT": "spot", "CAPACITY_BLOCK": "block"}.get(kind, "demand")}
    requirements = ((pool.inputs["spec"].get("template") or {}).get("spec") or {}).get("requirements") or ()
    values = next(
        (each.get("values") for each in requirements if each["key"] == names.KARPENTER_CAPACITY_TYPE_LABEL), None
    )
    return {"spot" if value == "spot" else "demand" for value in values or ("on-demand",)}


class _Template(NamedTuple):
    """What a pool says of its nodes, in one form for both kinds."""

    pool: Resource
    types: list[str]
    labels: Mapping[str, str]
    taints: tuple[Mapping[str, str], ...]
    family: str
    user_data: str
    has_efa: bool
    volumes: Mapping[str, int]
    """The size of each disk in MiB, by device."""
    joins_instance_store: bool
    """Whether the NVMe disks of a node, where it has any, become one that pods use."""
    most: int | None = None


def _managed(plan: Plan) -> Iterator[_Template]:
    for group in plan.of_type(NODE_GROUP):
        template = _template_of(group, plan)
        user_data = base64.b64decode(template.get("userData", "")).decode(errors="replace")
        yield _Template(
            group,
            types=group.inputs.get("instanceTypes") or [str(template.get("instanceType"))],
            labels=group.inputs.get("labels", {}),
            taints=tuple(
                {**taint, "effect": _kubernetes_effect(taint["effect"])} for taint in group.inputs.get("taints", ())
            ),
            family="bottlerocket" if str(group.inputs.get("amiType")).startswith("BOTTLEROCKET") else "al2023",
            user_data=user_data,
            has_efa=any("efa" in str(each.get("interfaceType")) for each in template.get("networkInterfaces") or ()),
            volumes=_volumes(template.get("blockDeviceMappings"), "Gi"),
            joins_instance_store="strategy: RAID0" in user_data,
            most=group.inputs.get("scalingConfig", {}).get("desiredSize"),
        )


def _elastic(plan: Plan) -> Iterator[_Template]:
    classes = {each.inputs["metadata"].get("name"): each.inputs["spec"] for each in plan.of_type(NODE_CLASS)}
    for pool in plan.of_type(NODE_POOL):
        template = pool.inputs["spec"].get("template", {})
        spec, labels = template.get("spec", {}), template.get("metadata", {}).get("labels", {})
        wanted = {each["key"]: each.get("values", []) for each in spec.get("requirements", ()) if _is_choice(each)}
        # Where a requirement leaves one value, every node is labelled with it.
        certain = {key: values[0] for key, values in wanted.items() if len(values) == 1}
        node_class = classes.get(spec.get("nodeClassRef", {}).get("name"), {})
        alias = next((term.get("alias", "") for term in node_class.get("amiSelectorTerms", ())), "")
        yield _Template(
            pool,
            types=wanted.get(names.INSTANCE_TYPE_LABEL, []),
            labels={**certain, **labels, names.KARPENTER_POOL_LABEL: pool.inputs["metadata"].get("name", pool.name)},
            taints=tuple(spec.get("taints", ())),
            family=alias.partition("@")[0],
            user_data=node_class.get("userData", ""),
            has_efa=any(each.get("interfaceType") == "efa-only" for each in node_class.get("networkInterfaces") or ()),
            volumes=_volumes(node_class.get("blockDeviceMappings"), ""),
            joins_instance_store=node_class.get("instanceStorePolicy") == "RAID0",
        )


def _is_choice(requirement: Mapping[str, Any]) -> bool:
    return requirement.get("operator", "In") == "In"


def _nodes(template: _Template) -> Iterator[Node]:
    family = template.family if template.family in ami_families() else "al2023"
    for name in template.types:
        fact = instance_types().get(name)
        if fact is None:
            continue
        own = {
            names.INSTANCE_TYPE_LABEL: name,
            names.ARCHITECTURE_LABEL: fact.architecture,
            names.OPERATING_SYSTEM_LABEL: "linux",
        }
        whole = fact.gpu.count if fact.gpu else 0
        instance_store = fact.nvme_gb * 10**9 // 2**20 if template.joins_instance_store else 0
        yield Node(
            template.pool,
            name,
            fact,
            {**own, **template.labels},
            template.taints,
            family,
            gpus=whole * _shares(fact, template.labels, template.user_data),
            efa=fact.efa_interfaces if template.has_efa else 0,
            disk_mib=instance_store or template.volumes.get(ami_families()[family].pod_device),
            most=template.most,
            ebs_gib=sum(template.volumes.values()) / 1024,
        )


def _volumes(mappings: Any, unit: str) -> dict[str, int]:
    sizes = {
        each.get("deviceName", ""): amount_of("memory", f"{(each.get('ebs') or {}).get('volumeSize')}{unit}")
        for each in mappings or ()
    }
    # One that is not known yet is no quantity.
    return {device: size for device, size in sizes.items() if size}


def _shares(fact: InstanceType, labels: Mapping[str, str], user_data: str) -> int:
    """How many pods may share a GPU, by what tells the node so: its labels, or Bottlerocket's settings."""
    if fact.gpu and (profile := labels.get(names.MIG_CONFIG_LABEL, "").removeprefix("all-")):
        return gpus()[fact.gpu.model].mig_profiles(fact.gpu.memory_gib).get(profile, 1)
    shared = re.search(r"-(\d+)$", labels.get(names.DEVICE_PLUGIN_CONFIG_LABEL, "")) or re.search(
        r"^replicas = (\d+)$", user_data, re.MULTILINE
    )
    return int(shared.group(1)) if shared else 1


def _template_of(group: Resource, plan: Plan) -> Mapping[str, Any]:
    wanted = group.property_dependencies.get("launchTemplate", group.dependencies)
    templates = [plan.by_urn[urn] for urn in wanted if urn in plan.by_urn]
    return next((each.inputs for each in templates if each.type == "aws:ec2/launchTemplate:LaunchTemplate"), {})


def _kubernetes_effect(effect: str) -> str:
    return {"NO_SCHEDULE": "NoSchedule", "NO_EXECUTE": "NoExecute", "PREFER_NO_SCHEDULE": "PreferNoSchedule"}[effect]
