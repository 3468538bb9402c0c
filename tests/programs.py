"""Bare Pulumi programs for tests, recorded."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from eksml.plan import Plan, Resource
from eksml.plan.project import Stack, find_stack
from eksml.plan.recorder import record, record_program

ROOT = Path(__file__).parents[1]


def recorded(program: Callable[[], Any], config: Mapping[str, str] | None = None) -> Plan:
    """The Plan of a function that registers resources."""
    stack = Stack(
        project="bare",
        name="test",
        directory=Path(__file__).parent,
        program=Path(__file__),
        config={"aws:region": "us-west-2", **(config or {})},
    )
    return record_program(program, stack)


@cache
def stack_plan(name: str) -> Plan:
    """The Plan of one of the stacks of this repository."""
    return record(find_stack(str(ROOT), name))


@cache
def blueprint_plan(name: str, profile: str | None = None, *, on: str | None = None, room: str = "training") -> Plan:
    """The Plan of a blueprint: its usual stack or that of a profile, on its own platform or another one."""
    stack = find_stack(str(ROOT / "blueprints" / room / name), profile).on_platform(on)
    assert stack.platform
    return record(stack, stack_plan(stack.platform.name))


def one(plan: Plan, resource_type: str, name: str | None = None) -> Resource:
    """The only resource of a type, or the only one with a name."""
    found = [resource for resource in plan.of_type(resource_type) if name in (None, resource.name)]
    assert len(found) == 1, f"{len(found)} resources of {resource_type} named {name}"
    return found[0]


def names_of(plan: Plan, resource_type: str) -> list[str]:
    """The names of all resources of a type."""
    return [resource.name for resource in plan.of_type(resource_type)]


def needs(plan: Plan, resource: Resource) -> set[str]:
    """The URNs of everything that is there before a resource is made, and still there when it is destroyed."""
    found: set[str] = set()
    waiting = [resource]
    while waiting:
        current = waiting.pop()
        direct = {urn for urn in (*current.dependencies, current.parent, current.provider) if urn} - found
        found |= direct
        waiting += [plan.by_urn[urn] for urn in direct if urn in plan.by_urn]
    return found
