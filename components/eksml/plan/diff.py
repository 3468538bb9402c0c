"""What changes between two Plans: two stacks, or one before and after an edit.

Resources are matched by the chain of types and the name in their URN. Between two stacks of different names, the name
of the platform counts as the same in both, in names and in inputs, and so do the ids that a recording makes up. Within
one stack nothing counts as the same but the same.

Compared are the inputs of what providers make, not components, which exist in Pulumi's state only, nor options. A
secret is never shown, so a secret that changes is not seen.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from eksml import catalog
from eksml.paths import Path, path_text
from eksml.plan.believable import digits, inner_cluster_urn
from eksml.plan.canonical import CLUSTER, REMOTE_TYPES
from eksml.plan.model import STACK_REFERENCE_TYPE, Plan, Resource

_PLATFORM = "eksml:platform:Platform"
_SAME_NAME = "{platform}"
_ID_OF_A_RECORDING = re.compile(r"[0-9a-f]{17}|(?<=-)[0-9a-f]{7}(?![0-9a-z])")


class Kind(StrEnum):
    """What happens to a resource, in the order of how much it is to be feared."""

    REPLACED = "replaced"
    REMOVED = "removed"
    CHANGED = "changed"
    ADDED = "added"


class Effect(StrEnum):
    """What the change of one input does."""

    UPDATE = "update"
    """The resource is changed in place."""
    REPLACE = "replace"
    """The provider destroys the resource and makes another."""
    REFUSED = "refused"
    """AWS or Kubernetes refuses the change: the resource must be replaced by hand."""
    UNKNOWN = "unknown"
    """The catalog knows nothing of this type."""


@dataclass(frozen=True)
class InputChange:
    """One input that changes; None is for an input that is not set."""

    path: str
    before: Any
    after: Any
    effect: Effect
    computed_from: str | None = None
    """The URN of the replaced resource that the input is computed from; its value after is then not known."""


@dataclass(frozen=True)
class ResourceChange:
    """One resource that is replaced, removed, changed or added."""

    kind: Kind
    urn: str
    """Its URN afterwards; that of before where it is removed."""
    type: str
    name: str
    is_stateful: bool | None
    """Whether something is lost with it that does not come back by itself; None: not known."""
    inputs: tuple[InputChange, ...] = ()
    """What changes; of an added or removed resource nothing."""

    @property
    def is_replacement_known(self) -> bool:
        """Whether the catalog knows which inputs replace resources of this type."""
        return all(change.effect is not Effect.UNKNOWN for change in self.inputs)


@dataclass(frozen=True)
class Diff:
    """Everything that changes, worst first: replacements of what holds state, other replacements, removals, changes."""

    before: str
    """The stack before."""
    after: str
    changes: tuple[ResourceChange, ...]
    same: int
    """How many resources stay as they are."""
    notes: tuple[str, ...] = ()
    """What could not be compared."""

    def of_kind(self, kind: Kind) -> list[ResourceChange]:
        """The changes of one kind."""
        return [change for change in self.changes if change.kind is kind]


def diff(before: Plan, after: Plan, *, compare_computed: bool = True) -> Diff:
    """What changes between two Plans.

    Arguments:
        before: the Plan that is.
        after: the Plan that is to be.
        compare_computed: False where one Plan was recorded and the other comes from the engine: inputs that are
            computed from other resources are made up in the one and real in the other, and are then not compared.
    """
    is_same_stack = _stack_of(before) == _stack_of(after)
    old, new = (_Side(plan, like_any=not is_same_stack) for plan in (before, after))
    both = [key for key in new.keys if key in old.keys]
    changed = _with_replacements(
        _changed(old, new, both, compare_computed), [after.by_urn[new.keys[key]] for key in both]
    )
    changes = [
        *changed.values(),
        *(_resource_change(Kind.REMOVED, before.by_urn[urn]) for key, urn in old.keys.items() if key not in new.keys),
        *(_resource_change(Kind.ADDED, after.by_urn[urn]) for key, urn in new.keys.items() if key not in old.keys),
    ]
    notes = tuple(_notes(changed.values(), after, compare_computed))
    changes = [replace(change, inputs=tuple(sorted(change.inputs, key=_place))) for change in changes]
    return Diff(before.stack, after.stack, tuple(sorted(changes, key=_worst_first)), len(both) - len(changed), notes)


class _Side:
    """One of the two Plans: its resources by what they are matched by, and its values as they are compared."""

    def __init__(self, plan: Plan, *, like_any: bool):
        self.plan = plan
        made = [resource for resource in plan.resources if _is_made(resource)]
        platforms = plan.of_type(_PLATFORM) if like_any else []
        # A name is one only where a word of it begins and ends: eksml-research is not in eksml-research2.
        self._name = re.compile(rf"(?<![\w-]){re.escape(platforms[0].name)}(?!\w)") if len(platforms) == 1 else None
        self.keys = {self._key(resource.urn): resource.urn for resource in made}
        self._ids = dict(self._made_up(made)) if like_any else {}

    def comparable(self, value: Any) -> Any:
        """A value with what may differ between stacks taken out."""
        if isinstance(value, str):
            text = self._name.sub(_SAME_NAME, value) if self._name else value
            return _ID_OF_A_RECORDING.sub(lambda found: self._ids.get(found[0], found[0]), text) if self._ids else text
        if isinstance(value, Mapping):
            return {self.comparable(key): self.comparable(item) for key, item in value.items()}
        return [self.comparable(item) for item in value] if isinstance(value, list) else value

    def _key(self, urn: str) -> str:
        chain_and_name = urn.split("::", 2)[-1]
        return self._name.sub(_SAME_NAME, chain_and_name) if self._name else chain_and_name

    def _made_up(self, resources: Iterable[Resource]) -> Iterator[tuple[str, str]]:
        for resource in resources:
            urns = [resource.urn] + ([inner_cluster_urn(resource.urn)] if resource.type == CLUSTER else [])
            for urn in urns:
                yield digits(urn)[:17], f"{{{self._key(urn)}}}"
                yield digits(urn)[:7], f"{{{self._key(urn)}}}"


def _is_made(resource: Resource) -> bool:
    """Whether a provider makes it; a reference to another stack is only read, and the engine does not show it."""
    return resource.type in REMOTE_TYPES or (resource.is_custom and resource.type != STACK_REFERENCE_TYPE)


def _stack_of(plan: Plan) -> tuple[str, ...]:
    """Project and stack, which are in every URN."""
    return tuple(plan.resources[0].urn.split("::")[:2]) if plan.resources else (plan.stack,)


def _resource_change(kind: Kind, resource: Resource) -> ResourceChange:
    known = catalog.replacement(resource.type)
    return ResourceChange(kind, resource.urn, resource.type, resource.name, known.stateful if known else None)


def _changed(old: _Side, new: _Side, keys: Iterable[str], compare_computed: bool) -> dict[str, ResourceChange]:
    """What is on both sides, but not with the same inputs; by URN."""
    changed = {}
    for key in keys:
        if inputs := tuple(_input_changes(old, new, key, compare_computed)):
            urn = new.keys[key]
            changed[urn] = replace(_resource_change(Kind.CHANGED, new.plan.by_urn[urn]), inputs=inputs)
    return changed


def _input_changes(old: _Side, new: _Side, key: str, compare_computed: bool) -> Iterator[InputChange]:
    one, other = old.plan.by_urn[old.keys[key]], new.plan.by_urn[new.keys[key]]
    if not compare_computed and one.type in REMOTE_TYPES:
        return
    computed = set() if compare_computed else one.property_dependencies.keys() | other.property_dependencies.keys()
    ignored = other.options.get("ignoreChanges", ())
    for path, was, will_be in _differences(one.inputs, other.inputs, (), old.comparable, new.comparable):
        if path[0] not in computed and not _is_below(path, ignored):
            yield InputChange(path_text(path), was, will_be, _effect(other, path, was))


def _differences(
    one: Any, other: Any, path: Path, old: Callable[[Any], Any], new: Callable[[Any], Any]
) -> Iterator[tuple[Path, Any, Any]]:
    """The places where two values differ, as far down as both are mappings, or lists of mappings."""
    keys = _keys(one, other)
    if keys is None:
        if old(one) != new(other):
            yield path, one, other
        return
    for key in keys:
        yield from _differences(_at(one, key), _at(other, key), (*path, key), old, new)


def _keys(one: Any, other: Any) -> Iterable[str | int] | None:
    """What two values are compared by, piece by piece; None where they are compared whole."""
    given = [value for value in (one, other) if value is not None]
    if any(given) and all(isinstance(value, Mapping) for value in given):
        return sorted({key for value in given for key in value})
    if any(given) and all(_is_list_of_mappings(value) for value in given):
        return range(max(len(value) for value in given))
    return None


def _is_list_of_mappings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


def _at(value: Any, key: str | int) -> Any:
    if isinstance(value, Mapping):
        return value.get(key)
    return value[key] if isinstance(value, list) and isinstance(key, int) and key < len(value) else None


def _effect(resource: Resource, path: Path, was: Any) -> Effect:
    known = catalog.replacement(resource.type)
    if _is_below(path, resource.options.get("replaceOnChanges", ())):
        return Effect.REPLACE
    if known is None:
        return Effect.UNKNOWN
    if _is_below(path, known.replaced_by):
        return Effect.REPLACE
    return Effect.REFUSED if was is not None and _is_below(path, known.refused) else Effect.UPDATE


def _is_below(path: Path, roots: Iterable[str]) -> bool:
    """Whether a path is one of some others, or below one; the place in a list does not matter."""
    names = [str(step) for step in path if not isinstance(step, int)]
    return any(root == "*" or names[: root.count(".") + 1] == root.split(".") for root in roots)


def _with_replacements(changed: Mapping[str, ResourceChange], kept: list[Resource]) -> dict[str, ResourceChange]:
    """The same, with what changes because what it is computed from, or its provider, is replaced; and so on."""
    dependants: dict[str, list[Resource]] = {}
    for resource in kept:
        needed = {source for sources in resource.property_dependencies.values() for source in sources}
        needed |= {*resource.options.get("replaceWith", ()), *([resource.provider] if resource.provider else [])}
        for source in sorted(needed):
            dependants.setdefault(source, []).append(resource)
    result = dict(changed)
    waiting = [urn for urn, change in changed.items() if _is_replacement(change)]
    seen = set(waiting)
    while waiting:
        source = waiting.pop()
        result[source] = replace(result[source], kind=Kind.REPLACED)
        for resource in dependants.get(source, ()):
            former = result.get(resource.urn) or _resource_change(Kind.CHANGED, resource)
            result[resource.urn] = replace(former, inputs=(*former.inputs, *_computed_anew(resource, source)))
            if resource.urn not in seen and _is_replacement(result[resource.urn]):
                seen.add(resource.urn)
                waiting.append(resource.urn)
    return result


def _is_replacement(change: ResourceChange) -> bool:
    return any(each.effect in (Effect.REPLACE, Effect.REFUSED) for each in change.inputs)


def _computed_anew(resource: Resource, source: str) -> Iterator[InputChange]:
    if resource.provider == source:
        yield InputChange("provider", None, None, Effect.REPLACE, source)
    if source in resource.options.get("replaceWith", ()):
        yield InputChange("replaceWith", None, None, Effect.REPLACE, source)
    for key, sources in resource.property_dependencies.items():
        if source in sources:
            yield InputChange(key, None, None, _effect_of_key(resource, key), source)


def _effect_of_key(resource: Resource, key: str) -> Effect:
    """The effect of an input of which no more is known than its first name, so that anything in it may change."""
    known = catalog.replacement(resource.type)
    if known is None:
        return Effect.UNKNOWN
    if key in {path.partition(".")[0] for path in known.replaced_by}:
        return Effect.REPLACE
    return Effect.REFUSED if key in {path.partition(".")[0] for path in known.refused} else Effect.UPDATE


def _notes(changed: Iterable[ResourceChange], after: Plan, compare_computed: bool) -> Iterator[str]:
    if not compare_computed:
        yield (
            "One of the two was recorded and the other comes from the engine: inputs that are computed from other "
            "resources are not compared, nor are those of components that a provider makes."
        )
    replaced = {change.urn for change in changed if change.kind is Kind.REPLACED}
    number = sum(not replaced.isdisjoint(resource.dependencies) for resource in after.resources)
    if number and not any(resource.property_dependencies for resource in after.resources):
        yield (
            f"Whether what depends on replaced resources, {number} in number, must be replaced too is not known: a "
            "file of `eksml preview --json` does not say which input comes from which resource. Name the stack instead."
        )


def _place(change: InputChange) -> tuple[str, str, str]:
    return change.path, change.effect, change.computed_from or ""


def _worst_first(change: ResourceChange) -> tuple[int, bool, str, str]:
    return list(Kind).index(change.kind), not change.is_stateful, change.type, change.name
