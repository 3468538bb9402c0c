"""The order of a deployment: when each resource starts and is done on a first `pulumi up`, and what the end waits for.

As the engine goes about it, with nothing that limits how much is made at once: a resource starts when everything that
it depends on is done, its provider and its parent too. A component is registered before its children, which need not
wait for more, and is done when they are.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from eksml import catalog
from eksml.errors import InputError
from eksml.plan.canonical import REMOTE_TYPES
from eksml.plan.cold_starts import server_start
from eksml.plan.model import STACK_TYPE, Plan, Resource


@dataclass(frozen=True)
class Step:
    """One resource in time; seconds count from the beginning of the deployment."""

    urn: str
    type: str
    name: str
    start: float
    end: float
    seconds: float
    """How long it takes by itself: nothing for a component, whose time is that of its children."""
    is_estimate: bool
    """Whether that is a guess of ours, because no source has a figure."""


@dataclass(frozen=True)
class Stage:
    """The time that a component at the top, or a resource there, takes with all that is below it."""

    name: str
    type: str
    start: float
    """When the first resource in it is begun, which may be long after the component is registered."""
    end: float


@dataclass(frozen=True)
class Timeline:
    """A deployment in time."""

    stack: str
    steps: tuple[Step, ...]
    """Every resource, in the order in which they start."""
    chain: tuple[Step, ...]
    """The longest chain: each waits for the one before it, and the end waits for the last."""
    stages: tuple[Stage, ...]

    @property
    def seconds(self) -> float:
        """How long the whole takes."""
        return max((step.end for step in self.steps), default=0)

    @property
    def estimated_seconds(self) -> float:
        """How much of that is guessed."""
        return sum(step.seconds for step in self.chain if step.is_estimate)


# A resource is begun and is done.
_Moment = tuple[str, bool]


def timeline(plan: Plan) -> Timeline:
    """A Plan in time. Raises InputError where resources wait for each other."""
    resources = {resource.urn: resource for resource in plan.resources if resource.type != STACK_TYPE}
    waits = _waits(resources)
    times = {urn: _create_time(resource) for urn, resource in resources.items()}
    moments: dict[_Moment, float] = {}
    reasons: dict[_Moment, _Moment] = {}
    for moment in _in_order(waits):
        urn, is_end = moment
        candidates = [
            (moments[other] + (times[urn].seconds if is_end and other[0] == urn else 0), other)
            for other in waits[moment]
        ]
        moments[moment], reason = max(candidates, default=(0, None))
        if reason is not None:
            reasons[moment] = reason
    steps = {urn: _step(resource, moments, times[urn]) for urn, resource in resources.items()}
    return Timeline(
        stack=plan.stack,
        steps=tuple(sorted(steps.values(), key=lambda step: (step.start, step.end, step.urn))),
        chain=tuple(_chain(moments, reasons, steps)),
        stages=tuple(_stages(resources, steps)),
    )


def _waits(resources: Mapping[str, Resource]) -> dict[_Moment, list[_Moment]]:
    """What each moment waits for."""
    waits: dict[_Moment, list[_Moment]] = {}
    for urn, resource in resources.items():
        waits[urn, False] = [(needed, _must_be_done(needed, urn, resources)) for needed in _needs(resource, resources)]
        waits.setdefault((urn, True), []).append((urn, False))
        parent = resources.get(resource.parent or "")
        if parent is not None and not parent.is_custom:
            waits.setdefault((parent.urn, True), []).append((urn, True))
    return waits


def _needs(resource: Resource, resources: Mapping[str, Resource]) -> list[str]:
    needed = {*resource.dependencies, resource.provider, resource.parent}
    return sorted(urn for urn in needed if urn is not None and urn in resources and urn != resource.urn)


def _must_be_done(needed: str, urn: str, resources: Mapping[str, Resource]) -> bool:
    """Whether a resource that another needs must be done first; what is in a component needs only its beginning."""
    if resources[needed].is_custom or resources[needed].type in REMOTE_TYPES:
        return True
    above = resources[urn].parent
    while above is not None and above in resources:
        if above == needed:
            return False
        above = resources[above].parent
    return True


def _in_order(waits: Mapping[_Moment, list[_Moment]]) -> list[_Moment]:
    try:
        return list(TopologicalSorter(waits).static_order())
    except CycleError as error:
        circle = " → ".join(dict.fromkeys(urn.rpartition("::")[2] for urn, _ in error.args[1]))
        raise InputError(f"these wait for each other, so that none can begin: {circle}") from None


def _create_time(resource: Resource) -> catalog.CreateTime:
    if not resource.is_custom and resource.type not in REMOTE_TYPES:
        return catalog.CreateTime(seconds=0, is_estimate=False)
    if resource.type == _DEPLOYMENT and (start := server_start(resource.inputs.get("metadata", {}))):
        # `pulumi up` waits until a model server answers.
        return catalog.CreateTime(seconds=start.parts["total"]["usual"], is_estimate=start.parts["total"]["estimate"])
    variant = _VARIANTS.get(resource.type)
    return catalog.create_time(resource.type, variant(resource.inputs) if variant else None)


_DEPLOYMENT = "kubernetes:apps/v1:Deployment"
# What of a resource makes another duration of it in the catalog.
_VARIANTS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "aws:ec2/vpcEndpoint:VpcEndpoint": lambda inputs: str(inputs.get("vpcEndpointType", "Gateway")).lower(),
    "aws:eks/nodeGroup:NodeGroup": lambda inputs: "gpu" if "NVIDIA" in str(inputs.get("amiType")) else "cpu",
    "aws:rds/instance:Instance": lambda inputs: "multi-AZ" if inputs.get("multiAz") else "single-AZ",
    "kubernetes:helm.sh/v3:Release": lambda inputs: str(inputs.get("chart")).rpartition("/")[2],
}


def _step(resource: Resource, moments: Mapping[_Moment, float], time: catalog.CreateTime) -> Step:
    start, end = moments[resource.urn, False], moments[resource.urn, True]
    return Step(resource.urn, resource.type, resource.name, start, end, time.seconds, time.is_estimate)


def _chain(
    moments: Mapping[_Moment, float], reasons: Mapping[_Moment, _Moment], steps: Mapping[str, Step]
) -> list[Step]:
    """Back from the end, always to what was waited for longest."""
    chain: list[Step] = []
    moment = max(moments, key=lambda each: (moments[each], each), default=None)
    while moment is not None:
        reason = reasons.get(moment)
        urn, is_end = moment
        if is_end and reason == (urn, False) and steps[urn].seconds:
            chain.append(steps[urn])
        moment = reason
    return chain[::-1]


def _stages(resources: Mapping[str, Resource], steps: Mapping[str, Step]) -> Iterator[Stage]:
    """What is at the top; where that is one component alone, what is in it."""
    tops = [urn for urn, resource in resources.items() if resource.parent not in resources]
    if len(tops) == 1 and not resources[tops[0]].is_custom:
        tops = [urn for urn, resource in resources.items() if resource.parent == tops[0]]
    heads: dict[str, str | None] = {urn: urn for urn in tops}
    times: dict[str, list[Step]] = {urn: [] for urn in tops}
    for urn in resources:
        head = _head(urn, resources, heads)
        if head is not None and steps[urn].seconds:
            times[head].append(steps[urn])
    stages = [
        Stage(
            resources[urn].name, resources[urn].type, min(step.start for step in below), max(step.end for step in below)
        )
        for urn, below in times.items()
        if below
    ]
    yield from sorted(stages, key=lambda stage: (stage.start, stage.end, stage.type, stage.name))


def _stage(head: Resource, steps: list[Step]) -> Stage:
    return Stage(head.name, head.type, min(step.start for step in steps), max(step.end for step in steps))


def _head(urn: str | None, resources: Mapping[str, Resource], heads: dict[str, str | None]) -> str | None:
    """The stage that a resource belongs to."""
    if urn is None or urn not in resources:
        return None
    if urn not in heads:
        heads[urn] = _head(resources[urn].parent, resources, heads)
    return heads[urn]
