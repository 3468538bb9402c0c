"""The tree of a Plan's resources: which component made what, with the figures that a reader looks for."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from eksml import names
from eksml.plan.model import STACK_TYPE, Plan, Resource


@dataclass(frozen=True)
class Node:
    """One resource of the tree."""

    name: str
    type: str
    detail: str
    """What a reader wants to know of it at a glance; may be empty."""
    children: tuple["Node", ...]


def tree(plan: Plan) -> tuple[Node, ...]:
    """The resources below the stack, in an order in which they could be made; equals by type and name."""
    children: dict[str | None, list[Resource]] = defaultdict(list)
    for resource in plan.resources:
        children[resource.parent].append(resource)

    def below(resource: Resource) -> Iterator[Resource]:
        yield resource
        for child in children[resource.urn]:
            yield from below(child)

    def nodes(urn: str | None) -> tuple[Node, ...]:
        families = {child.urn: list(below(child)) for child in children[urn]}
        ordered = [plan.by_urn[child] for child in _in_order(families)]
        return tuple(Node(child.name, short_type(child.type), detail(child), nodes(child.urn)) for child in ordered)

    stack = next((resource.urn for resource in plan.of_type(STACK_TYPE)), None)
    return nodes(stack)


def _in_order(families: Mapping[str, list[Resource]]) -> list[str]:
    """Siblings, each with all that is below it, so that those come first on which others depend."""
    heads = {head: family[0] for head, family in families.items()}
    owners: dict[str | None, str] = {member.urn: head for head, family in families.items() for member in family}
    needs = {
        head: {owners.get(needed, head) for member in family for needed in (*member.dependencies, member.provider)}
        for head, family in families.items()
    }
    sorter = TopologicalSorter({head: needed - {head} for head, needed in needs.items()})
    ordered: list[str] = []
    try:
        sorter.prepare()
    except CycleError:
        # Parts of two components may wait for each other; then neither comes first.
        return sorted(families, key=lambda head: (heads[head].type, heads[head].name))
    while sorter:
        ready = sorted(sorter.get_ready(), key=lambda head: (heads[head].type, heads[head].name))
        ordered += ready
        sorter.done(*ready)
    return ordered


def short_type(resource_type: str) -> str:
    """A type as it reads best: `aws:ec2/vpc:Vpc` is `aws.ec2.Vpc`, `kubernetes:core/v1:Namespace` core/v1 Namespace."""
    package, _, rest = resource_type.partition(":")
    module, _, name = rest.rpartition(":")
    if package == "kubernetes":
        return f"{module} {name}"
    return ".".join(part for part in (package, module.partition("/")[0].removesuffix("index"), name) if part)


def detail(resource: Resource) -> str:
    """What a reader wants to know of a resource at a glance."""
    describe = _DETAILS.get(resource.type)
    return describe(resource.inputs) if describe else ""


def _node_group(inputs: Mapping[str, Any]) -> str:
    size = inputs.get("scalingConfig", {}).get("desiredSize")
    types = ", ".join(inputs.get("instanceTypes") or ["the type of its Capacity Block"])
    capacity = str(inputs.get("capacityType", "")).lower().replace("_", " ")
    return f"{size} × {types}, {capacity}"


def _node_pool(inputs: Mapping[str, Any]) -> str:
    spec = inputs.get("spec", {})
    values = {item["key"]: item["values"] for item in spec.get("template", {}).get("spec", {}).get("requirements", [])}
    limits = ", ".join(f"{amount} × {resource}" for resource, amount in spec.get("limits", {}).items())
    types = ", ".join(values.get(names.INSTANCE_TYPE_LABEL, []))
    return f"up to {limits} on {types}; {' before '.join(values.get(names.KARPENTER_CAPACITY_TYPE_LABEL, []))}"


def _cluster(inputs: Mapping[str, Any]) -> str:
    spec = inputs.get("spec", {})
    access = ", ".join(spec.get("publicAccessCidrs") or ["its VPC only"])
    return f"Kubernetes {spec.get('kubernetesVersion')}, reachable from {access}"


def _platform(inputs: Mapping[str, Any]) -> str:
    spec = inputs.get("spec", {})
    return f"{spec['profile']} profile, {spec['region']}" if "profile" in spec else spec.get("region", "")


def _subnet(inputs: Mapping[str, Any]) -> str:
    return f"{inputs.get('cidrBlock')} in {inputs.get('availabilityZoneId') or inputs.get('availabilityZone')}"


def _overlay(inputs: Mapping[str, Any]) -> str:
    address = str(inputs.get("overlay") or inputs.get("directory"))
    tag = re.search(r"[?&]ref=([^&]+)", address)
    return address.partition("?")[0] + (f" at {tag[1]}" if tag else "")


def _file_system(inputs: Mapping[str, Any]) -> str:
    rate = inputs.get("provisionedThroughputInMibps")
    return f"{inputs.get('throughputMode')} throughput" + (f", {rate} MiB/s" if rate else "")


_DETAILS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "aws:ec2/subnet:Subnet": _subnet,
    "aws:ec2/vpc:Vpc": lambda inputs: str(inputs.get("cidrBlock")),
    "aws:ec2/vpcEndpoint:VpcEndpoint": lambda inputs: str(inputs.get("serviceName")),
    "aws:efs/fileSystem:FileSystem": _file_system,
    "aws:eks/addon:Addon": lambda inputs: f"{inputs.get('addonName')} {inputs.get('addonVersion')}",
    "aws:eks/nodeGroup:NodeGroup": _node_group,
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": lambda inputs: (
        f"{inputs.get('namespace')}/{inputs.get('serviceAccount')}"
    ),
    "eksml:cluster:NewCluster": _cluster,
    "eksml:platform:Platform": _platform,
    "kubernetes:helm.sh/v3:Release": lambda inputs: (
        f"{inputs.get('chart', '').rpartition('/')[2]} {inputs.get('version')} in {inputs.get('namespace')}"
    ),
    "kubernetes:karpenter.sh/v1:NodePool": _node_pool,
    "kubernetes:kustomize/v2:Directory": _overlay,
}
