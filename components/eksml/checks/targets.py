"""That what points to servers finds one: scalers, disruption budgets, monitors, Services and routes; and only one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from eksml.checks.engines import engines_of, namespace_of, server_of
from eksml.checks.finding import Found
from eksml.checks.nodes import has_all_nodes
from eksml.checks.references import chart_namespaces
from eksml.checks.workloads import Workload, overlay_of, workloads_of
from eksml.errors import listed, nearest
from eksml.plan import Plan, Resource
from eksml.plan.canonical import KUSTOMIZE_DIRECTORY
from eksml.plan.model import UNKNOWN

_GATEWAY_API = "kubernetes:gateway.networking.k8s.io"
_ROUTES = ("HTTPRoute", "GRPCRoute")
_VERSIONS = ("v1", "v1beta1")
_SERVICE = "kubernetes:core/v1:Service"
_SCALERS = (
    "kubernetes:keda.sh/v1alpha1:ScaledObject",
    *(f"kubernetes:autoscaling/{version}:HorizontalPodAutoscaler" for version in ("v1", "v2")),
)
# What makes pods or Services that no program registers: by kind, the ends of their names.
_UNSEEN = {"InferenceService": ("", "-predictor"), "RayService": ("-head-svc", "-serve-svc"), "LeaderWorkerSet": ("",)}


def target_exists(plan: Plan) -> Iterator[Found]:
    """What a scaler scales, a budget or monitor selects, and a Service or route leads to, is there."""
    for resource in plan.resources if has_all_nodes(plan) else ():
        if resource.package == "kubernetes":
            yield from (Found(resource, text) for text in _lost_targets(resource, plan))


def one_engine_per_address(plan: Plan) -> Iterator[Found]:
    """No two engines share a port of a pod, a Service, or a host name and path."""
    by_pod: dict[tuple[str, str, int], str] = {}
    for engine in engines_of(plan):
        name = str(engine.container.get("name"))
        for port in engine.container.get("ports") or ():
            place = (engine.workload.resource.urn, engine.workload.name, port.get("containerPort"))
            if (other := by_pod.setdefault(place, name)) != name:
                text = f"containers {other} and {name} both listen on port {place[2]}: the second one cannot start"
                yield Found(engine.workload.resource, f"{engine.workload.name}: {text}")
    for service in plan.of_type(_SERVICE):
        if (spec := _spec(service)).get("selector"):
            servers = {
                server_of(engine.workload) or engine.workload.name
                for engine in engines_of(plan)
                if _is_near(service, engine.workload) and _matches({"matchLabels": spec["selector"]}, engine.workload)
            }
            if len(servers) > 1:
                yield Found(service, f"leads to {' and '.join(sorted(servers))}: requests for one reach the other")
    yield from _shared_routes(plan)
    yield from _shared_hosts(plan)


def routes_of(plan: Plan) -> Iterator[Resource]:
    """The routes of the Gateway API."""
    for kind in _ROUTES:
        yield from _of_gateway_api(plan, kind)


def gateways_of(route: Resource, plan: Plan) -> Iterator[Resource]:
    """The Gateways that a route is attached to."""
    known = _gateways(plan)
    for parent in _spec(route).get("parentRefs") or ():
        if gateway := known.get((parent.get("namespace") or namespace_of(route), str(parent.get("name")))):
            yield gateway


def is_selected(monitor: Resource, workload: Workload) -> bool:
    """Whether a PodMonitor reads the pods of a workload."""
    anywhere = (_spec(monitor).get("namespaceSelector") or {}).get("any")
    return (anywhere or _is_near(monitor, workload)) and _matches(_spec(monitor).get("selector") or {}, workload)


def _lost_targets(resource: Resource, plan: Plan) -> Iterator[str]:
    spec, kind, place = _spec(resource), str(resource.inputs.get("kind")), namespace_of(resource)
    if resource.type in _SCALERS:
        target = spec.get("scaleTargetRef") or {}
        yield from _lost("scales", str(target.get("kind", "Deployment")), place, target.get("name"), plan)
    elif kind in ("PodDisruptionBudget", "PodMonitor"):
        yield from _selects_nothing(resource, spec.get("selector") or {}, plan)
    elif kind == "Service" and spec.get("selector"):
        yield from _selects_nothing(resource, {"matchLabels": spec["selector"]}, plan)
    elif kind in _ROUTES:
        for parent in spec.get("parentRefs") or ():
            yield from _lost("belongs to", "Gateway", parent.get("namespace") or place, parent.get("name"), plan)
        for backend in (each for rule in spec.get("rules") or () for each in rule.get("backendRefs") or ()):
            yield from _lost("leads to", "Service", backend.get("namespace") or place, backend.get("name"), plan)
    elif kind == "InterceptorRoute":
        yield from _lost("leads to", "Service", place, (spec.get("target") or {}).get("service"), plan)
    elif kind == "Rollout":
        strategy = (spec.get("strategy") or {}).get("blueGreen") or (spec.get("strategy") or {}).get("canary") or {}
        for key in ("activeService", "previewService", "stableService", "canaryService"):
            if key in strategy:
                yield from _lost("leads to", "Service", place, strategy[key], plan)
        for template in _analyses(strategy):
            yield from _lost("is judged by", "AnalysisTemplate", place, template, plan)


def _lost(verb: str, kind: str, namespace: str, name: Any, plan: Plan) -> Iterator[str]:
    known = _named(plan).get((kind, namespace), set())
    may_be_unseen = namespace in _unseen_namespaces(plan) or UNKNOWN in (namespace, name)
    if name not in known and not may_be_unseen:
        yield f"{verb} {kind} {name}, which namespace {namespace} does not have{nearest(str(name), known)}"


def _selects_nothing(resource: Resource, selector: Mapping[str, Any], plan: Plan) -> Iterator[str]:
    if namespace_of(resource) in _unseen_namespaces(plan) or (_spec(resource).get("namespaceSelector") or {}):
        return
    found = [each for each in workloads_of(plan) if _is_near(resource, each) and _matches(selector, each)]
    if not found and not _is_made_unseen(resource, plan):
        wanted = ", ".join(f"{key}: {value}" for key, value in (selector.get("matchLabels") or {}).items())
        yield f"selects pods with {wanted or 'other labels'}, which namespace {namespace_of(resource)} does not have"
    ports = {
        port.get("name") for each in found for container in each.containers for port in container.get("ports") or ()
    }
    for endpoint in _spec(resource).get("podMetricsEndpoints") or ():
        if found and endpoint.get("port") and endpoint["port"] not in ports:
            near = nearest(str(endpoint["port"]), map(str, ports)) or f", they have {listed(sorted(map(str, ports)))}"
            yield f"reads port {endpoint['port']}, which the pods do not have{near}"


@lru_cache(maxsize=1)
def _unseen_namespaces(plan: Plan) -> frozenset[str]:
    """The namespaces in which a chart or an overlay makes what it likes."""
    overlays = [overlay_of(each) for each in plan.of_type(KUSTOMIZE_DIRECTORY)]
    return chart_namespaces(plan) | {each.namespace for each in overlays if each and each.namespace}


def _is_made_unseen(resource: Resource, plan: Plan) -> bool:
    """Whether an operator may make the pods: it gives them labels of its own, and those of its custom resource."""
    there = (each for each in plan.resources if each.package == "kubernetes" and each.inputs.get("kind") in _UNSEEN)
    return any(namespace_of(each) == namespace_of(resource) for each in there)


def _matches(selector: Mapping[str, Any], workload: Workload) -> bool:
    wanted, expressions = selector.get("matchLabels") or {}, selector.get("matchExpressions") or ()
    return all(workload.labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(each, workload.labels) for each in expressions
    )


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, values = labels.get(str(expression.get("key"))), expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case _:
            return value is None


def _is_near(resource: Resource, workload: Workload) -> bool:
    return namespace_of(resource) == namespace_of(workload.resource)


@lru_cache(maxsize=1)
def _named(plan: Plan) -> dict[tuple[str, str], set[str]]:
    """By kind and namespace, the names of all objects, those too that operators make by the name of another."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for each in plan.resources:
        if each.package != "kubernetes":
            continue
        kind, place = str(each.inputs.get("kind")), namespace_of(each)
        name = str((each.inputs.get("metadata") or {}).get("name"))
        found[kind, place].add(name)
        for end in _UNSEEN.get(kind, ()):
            found["Service", place].add(f"{name}{end}")
            found["Deployment", place].add(f"{name}{end}")
    return found


@lru_cache(maxsize=1)
def _gateways(plan: Plan) -> dict[tuple[str, str], Resource]:
    return {
        (namespace_of(each), str((each.inputs.get("metadata") or {}).get("name"))): each
        for each in _of_gateway_api(plan, "Gateway")
    }


def _of_gateway_api(plan: Plan, kind: str) -> Iterator[Resource]:
    for version in _VERSIONS:
        yield from plan.of_type(f"{_GATEWAY_API}/{version}:{kind}")


def _shared_routes(plan: Plan) -> Iterator[Found]:
    """The Gateway API gives an address that two routes name to the older one, and nobody is told."""
    first: dict[tuple[str, ...], Resource] = {}
    for route in routes_of(plan):
        for address in _addresses(route):
            other = first.setdefault(address, route)
            if other is not route:
                where = "".join(address[2:4]) or "every host name and path"
                yield Found(route, f"{where} is that of {other.name} too: one of them is never reached")


def _shared_hosts(plan: Plan) -> Iterator[Found]:
    """KEDA's interceptor, of which there is one for all namespaces, knows servers by their host names."""
    first: dict[str, Resource] = {}
    for route in plan.of_type("kubernetes:http.keda.sh/v1beta1:InterceptorRoute"):
        for host in (each for rule in _spec(route).get("rules") or () for each in rule.get("hosts") or ()):
            if (other := first.setdefault(host, route)) is not route:
                yield Found(route, f"{host} is that of {other.name} too: the interceptor wakes one of them only")


def _addresses(route: Resource) -> Iterator[tuple[str, ...]]:
    """Where a route is reached: Gateway, host name, path, and what else of a request decides."""
    spec = _spec(route)
    gateways = [(each.get("namespace") or namespace_of(route), each) for each in spec.get("parentRefs") or ()]
    matches = [each for rule in spec.get("rules") or () for each in rule.get("matches") or [{}]]
    for place, gateway in gateways:
        for host in spec.get("hostnames") or [""]:
            for match in matches:
                path, others = match.get("path") or {}, {key: match[key] for key in sorted(match) if key != "path"}
                own = (str(path.get("value", "")).rstrip("/") or "/", str(path.get("type", "")), str(others))
                yield place, f"{gateway.get('name')}/{gateway.get('sectionName')}", host, *own


def _analyses(strategy: Any) -> Iterable[str]:
    """The templates that a strategy names, at any depth."""
    if isinstance(strategy, list):
        return [name for each in strategy for name in _analyses(each)]
    if not isinstance(strategy, Mapping):
        return []
    own = [str(strategy["templateName"])] if "templateName" in strategy and not strategy.get("clusterScope") else []
    return [*own, *(name for each in strategy.values() for name in _analyses(each))]


def _spec(resource: Resource) -> Mapping[str, Any]:
    return resource.inputs.get("spec") or {}
