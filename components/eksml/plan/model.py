"""The recorded outcome of a program: every resource that it registers, and what it exports."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

SECRET = "[secret]"
"""What stands for a secret value, in every form of a Plan."""

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine writes for a value that is not known before `pulumi up`."""

STACK_REFERENCE_TYPE = "pulumi:pulumi:StackReference"
STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass(frozen=True)
class Resource:
    """One registered resource. Identities are URNs; a default provider is None."""

    urn: str
    type: str
    name: str
    parent: str | None
    is_custom: bool
    """Whether a provider makes it; a component is made by a program."""
    provider: str | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    """Other resource options in the engine's words, such as protect, ignoreChanges and customTimeouts."""
    aliases: tuple[str, ...] = ()
    """What the resource was called before; the engine's preview does not show it."""

    @property
    def package(self) -> str:
        """The package of its type, such as aws."""
        return self.type.partition(":")[0]


# Compared as itself: what is made of a Plan is kept by it, and two Plans of a platform are thousands of equal inputs.
@dataclass(frozen=True, eq=False)
class Plan:
    """Every resource of a stack, by URN, and its exports."""

    stack: str
    resources: tuple[Resource, ...]
    exports: Mapping[str, Any] = field(default_factory=dict)
    platform: "Plan | None" = None
    """The platform that it runs on, where it is a workload's."""

    @classmethod
    def of(
        cls,
        stack: str,
        resources: Iterable[Resource],
        exports: Mapping[str, Any] | None = None,
        platform: "Plan | None" = None,
    ) -> "Plan":
        """A Plan of resources in any order: registration order means nothing, so they are sorted by URN."""
        return cls(stack, tuple(sorted(resources, key=lambda resource: resource.urn)), dict(exports or {}), platform)

    @property
    def with_platform(self) -> "Plan":
        """A workload and its platform as one Plan: what refers to the platform's stack comes after all of it."""
        if self.platform is None:
            return self
        there = tuple(resource.urn for resource in self.platform.resources)
        own = [
            replace(resource, dependencies=there) if resource.type == STACK_REFERENCE_TYPE else resource
            for resource in self.resources
        ]
        return Plan.of(self.stack, [*self.platform.resources, *own], self.exports)

    @cached_property
    def by_urn(self) -> dict[str, Resource]:
        """The resources by URN."""
        return {resource.urn: resource for resource in self.resources}

    @cached_property
    def _by_type(self) -> dict[str, list[Resource]]:
        found: dict[str, list[Resource]] = {}
        for resource in self.resources:
            found.setdefault(resource.type, []).append(resource)
        return found

    def of_type(self, resource_type: str) -> list[Resource]:
        """The resources of one type."""
        return list(self._by_type.get(resource_type, ()))
