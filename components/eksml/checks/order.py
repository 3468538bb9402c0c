"""What comes before what, up and down."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from eksml.checks.finding import Found
from eksml.checks.workloads import RELEASE, chart_of, crds_of
from eksml.plan import Plan, Resource

_SERVICE = "kubernetes:core/v1:Service"

# The controllers that make things in AWS by themselves, and the kinds of objects that they make them for.
_CONTROLLERS = {
    "karpenter": ("kubernetes:karpenter.sh/v1:NodePool",),
    "aws-load-balancer-controller": (
        "kubernetes:networking.k8s.io/v1:Ingress",
        "kubernetes:gateway.networking.k8s.io/v1:Gateway",
        _SERVICE,
    ),
}


def custom_resource_after_crd(plan: Plan) -> Iterator[Found]:
    """Each custom object depends on the chart, or the definition, that brings its kind."""
    for group, makers in _crd_makers(plan).items():
        later = _after(plan, makers)
        for resource in plan.resources:
            if _group_of(resource) == group and resource.urn not in later:
                yield Found(resource, f"does not come after what brings the kinds of {group}")


def own_cluster_provider(plan: Plan) -> Iterator[Found]:
    """Every Kubernetes object has a provider of its own cluster, not whatever kubectl talks to."""
    for resource in plan.resources:
        if resource.package == "kubernetes" and resource.is_custom and resource.provider is None:
            yield Found(resource, "has no Kubernetes provider, so it goes to whatever cluster kubectl talks to")


def nothing_left_behind(plan: Plan) -> Iterator[Found]:
    """What a controller makes for an object is gone before the controller: the object depends on it."""
    for release in plan.of_type(RELEASE):
        known = chart_of(release)
        kinds = _CONTROLLERS.get(known[0], ()) if known else ()
        later = _after(plan, [release.urn]) if kinds else set()
        for kind in kinds:
            for resource in plan.of_type(kind):
                if _is_exposed(resource) and resource.urn not in later:
                    yield Found(resource, f"does not depend on {release.name}, which clears up what it made for it")
    for resource in plan.resources:
        if resource.options.get("retainOnDelete"):
            yield Found(resource, "stays after destroy: retainOnDelete is set")


def _is_exposed(resource: Resource) -> bool:
    return resource.type != _SERVICE or (resource.inputs.get("spec") or {}).get("type") == "LoadBalancer"


def _crd_makers(plan: Plan) -> dict[str, set[str]]:
    """By API group, the resources that bring its kinds."""
    makers: dict[str, set[str]] = defaultdict(set)
    for resource in plan.resources:
        for crd in crds_of(resource):
            makers[crd.partition(".")[2]].add(resource.urn)
    return makers


def _group_of(resource: Resource) -> str:
    return resource.type.split(":")[1].partition("/")[0] if resource.package == "kubernetes" else ""


def _after(plan: Plan, urns: Iterable[str]) -> set[str]:
    """The URNs of everything that comes after some resources, and on the way down before them."""
    later: set[str] = set()
    edge = list(urns)
    while edge:
        for urn in _waiting_for(plan).get(edge.pop(), ()):
            if urn not in later:
                later.add(urn)
                edge.append(urn)
    return later


@lru_cache(maxsize=1)
def _waiting_for(plan: Plan) -> Mapping[str, list[str]]:
    """By URN, those of the resources that wait for it."""
    waiting_for: dict[str, list[str]] = defaultdict(list)
    for resource in plan.resources:
        for needed in (*resource.dependencies, resource.parent, resource.provider):
            if needed:
                waiting_for[needed].append(resource.urn)
    return waiting_for
