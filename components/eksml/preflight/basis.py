"""What questions rest on: the Plan, its region, this machine; and what of the Plan is there before `pulumi up`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from eksml import names
from eksml.checks.nodes import NODE_CLASS, NODE_GROUP, Node, capacity_types, most_nodes, nodes_of
from eksml.errors import InputError
from eksml.plan import Plan, Resource
from eksml.plan.believable import cluster_outputs, is_known_type, outputs_of
from eksml.plan.region import regions_named
from eksml.preflight.machine import Machine
from eksml.preflight.provider import Provider

PLATFORM = "eksml:platform:Platform"
CLUSTER = "eks:index:Cluster"
SUBNET = "aws:ec2/subnet:Subnet"
RESERVATION = r"^(cr-[0-9a-f]{8,17})$"
"""What the ids of capacity reservations and Capacity Blocks are like."""


class Pool(NamedTuple):
    """A pool, and what its nodes may be."""

    resource: Resource
    nodes: Sequence[Node]
    """A node of each instance type that it may have."""

    @property
    def name(self) -> str:
        """Its name as the stack file has it, or as the program calls it."""
        return self.nodes[0].labels.get(names.POOL_LABEL, self.resource.name)

    @property
    def is_fixed(self) -> bool:
        """Whether its nodes come with `pulumi up`; Karpenter brings those of others when a pod needs them."""
        return self.resource.type == NODE_GROUP

    @property
    def capacity(self) -> set[str]:
        """Which of spot, demand and block its nodes may be."""
        return capacity_types(self.resource)

    @property
    def types(self) -> list[str]:
        """Its instance types."""
        return [node.instance_type for node in self.nodes]

    def most(self, node: Node) -> int | None:
        """How many of a kind of node it can have; None: no limit."""
        return most_nodes(node)


@dataclass(frozen=True)
class Basis:
    """What questions rest on.

    Arguments:
        plan: a recorded Plan; of a workload's, its platform is asked for too.
        machine: this machine.
        asks_address: whether a service of AWS may be asked for the address of this machine.
        provider: what the stack file tells the AWS provider.
        directory: where the project is, whose Pulumi.yaml may name a backend.
    """

    plan: Plan
    machine: Machine = field(default_factory=Machine)
    asks_address: bool = False
    provider: Provider = field(default_factory=Provider)
    directory: Path = Path()

    @cached_property
    def whole(self) -> Plan:
        """The Plan with its platform."""
        return self.plan.with_platform

    @cached_property
    def region(self) -> str:
        """The region of the Plan, or that which the provider takes. Raises InputError where nothing says one."""
        settings = (self.machine.setting(name) for name in ("AWS_REGION", "AWS_DEFAULT_REGION"))
        region = next(regions_named(self.whole), None) or self.provider.region or next(filter(None, settings), None)
        if region is None:
            raise InputError(
                f"{self.plan.stack}: nothing in it says in which region it is: set aws:region, or AWS_REGION"
            )
        return region

    @cached_property
    def platform(self) -> Mapping[str, Any]:
        """What the platform's stack file says; empty without one."""
        return next((each.inputs.get("spec") or {} for each in self.whole.of_type(PLATFORM)), {})

    @cached_property
    def pools(self) -> list[Pool]:
        """The pools whose instance types the catalog knows."""
        return [
            Pool(nodes[0].pool, nodes)
            for _, group in groupby(nodes_of(self.whole), key=lambda node: node.pool.urn)
            if (nodes := list(group))
        ]

    @cached_property
    def cluster(self) -> Resource | None:
        """The cluster that it makes, if it makes one."""
        return next(iter(self.whole.of_type(CLUSTER)), None)

    @cached_property
    def existing_cluster(self) -> Mapping[str, Any] | None:
        """What is said of the cluster that exists, if it is one by name."""
        found = self.whole.of_type("eksml:cluster:ExistingCluster")
        return found[0].inputs["spec"] if found else None

    def is_own(self, tags: Any) -> bool:
        """Whether something in the account is this platform's, by its tags as AWS lists or maps them."""
        if not isinstance(tags, Mapping):
            tags = {each.get("Key"): each.get("Value") for each in tags or ()}
        return tags.get(names.PLATFORM_TAG) is not None and tags.get(names.PLATFORM_TAG) == self.platform.get("name")

    @cached_property
    def made(self) -> set[str]:
        """Every id and output that stands in the Plan for something that it makes itself."""
        found: set[str] = set()
        for resource in self.whole.resources:
            if resource.type == CLUSTER:
                found |= set(_texts(cluster_outputs(resource.urn, resource.inputs, self.region)))
            elif resource.package == "aws" and resource.is_custom and is_known_type(resource.type):
                found |= set(_texts(outputs_of(resource.type, resource.urn, resource.inputs, self.region)))
        return found

    @cached_property
    def planned_subnets(self) -> dict[str, Resource]:
        """The subnets that it makes, by what stands for their ids."""
        return {outputs_of(SUBNET, each.urn, each.inputs, self.region)[0]: each for each in self.whole.of_type(SUBNET)}

    def named(self, pattern: str) -> dict[str, list[Resource]]:
        """What the Plan names and does not make: the first group of a pattern, and the resources that name it."""
        found: dict[str, list[Resource]] = {}
        for resource in self.whole.resources:
            # What a platform is told, its parts are told too.
            for text in _texts(resource.inputs) if resource.type != PLATFORM else ():
                for match in re.finditer(pattern, text):
                    if match[1] not in self.made and resource not in found.setdefault(match[1], []):
                        found[match[1]].append(resource)
        return {name: resources for name, resources in found.items() if resources}

    def subnets_of(self, pool: Pool) -> list[str]:
        """The ids of the subnets that the nodes of a pool go to."""
        if pool.is_fixed:
            return list(pool.resource.inputs.get("subnetIds") or ())
        wanted = (pool.resource.inputs["spec"]["template"]["spec"].get("nodeClassRef") or {}).get("name")
        terms = [
            term
            for each in self.whole.of_type(NODE_CLASS)
            if each.inputs["metadata"].get("name") == wanted
            for term in each.inputs["spec"].get("subnetSelectorTerms") or ()
        ]
        return [term["id"] for term in terms if "id" in term]


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
