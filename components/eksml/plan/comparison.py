"""Whether two Plans say the same, whichever form they come from."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from eksml.plan.canonical import REMOTE_TYPES
from eksml.plan.model import STACK_REFERENCE_TYPE, Plan, Resource

_COMPARED_OF_REMOTE = ("type", "parent", "is_custom", "dependencies", "options")
_COMPARED = (*_COMPARED_OF_REMOTE, "provider")


def differences(one: Plan, other: Plan) -> list[str]:
    """What differs, a line each; empty for equal Plans.

    A value that is computed from another resource (an id, an ARN) is made up in both forms and only has to be there;
    so is what a provider does with the inputs of a remote component, which the engine does not show, as little as with
    which provider it is made. References to other stacks are left out: they are only read, which the engine shows on
    demand.
    """
    first, second = _made(one), _made(other)
    lines = [f"only in the first: {urn}" for urn in first.keys() - second.keys()]
    lines += [f"only in the second: {urn}" for urn in second.keys() - first.keys()]
    for urn in first.keys() & second.keys():
        lines += [f"{urn}: {line}" for line in _differences(first[urn], second[urn])]
    return sorted(lines)


def _made(plan: Plan) -> dict[str, Resource]:
    """The resources by URN, without references to other stacks and the dependencies on them."""
    read = {resource.urn for resource in plan.of_type(STACK_REFERENCE_TYPE)}

    def others(urns: Iterable[str]) -> tuple[str, ...]:
        return tuple(urn for urn in urns if urn not in read)

    return {
        urn: replace(
            resource,
            dependencies=others(resource.dependencies),
            property_dependencies={key: others(urns) for key, urns in resource.property_dependencies.items()},
        )
        for urn, resource in plan.by_urn.items()
        if urn not in read
    }


def _differences(one: Resource, other: Resource) -> Iterator[str]:
    for name in _COMPARED if one.type not in REMOTE_TYPES else _COMPARED_OF_REMOTE:
        if getattr(one, name) != getattr(other, name):
            yield f"{name}: {getattr(one, name)} is not {getattr(other, name)}"
    if one.type in REMOTE_TYPES:
        return
    if one.property_dependencies != other.property_dependencies:
        yield f"property dependencies: {one.property_dependencies} are not {other.property_dependencies}"
    for key in sorted(one.inputs.keys() | other.inputs.keys()):
        is_computed = key in one.property_dependencies
        if not _same(one.inputs.get(key), other.inputs.get(key), is_computed):
            yield f"inputs.{key}: {one.inputs.get(key)} is not {other.inputs.get(key)}"


def _same(one: Any, other: Any, is_computed: bool) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key], is_computed) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_same(*pair, is_computed) for pair in zip(one, other, strict=True))
    return one == other or (is_computed and isinstance(one, str) and isinstance(other, str))
