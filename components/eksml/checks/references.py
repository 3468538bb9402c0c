"""Whether what an object names is there: its kind, its namespace, its storage, and what its pods read and run as."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from eksml import names
from eksml.catalog import charts, eks_addons, kustomizations
from eksml.checks.finding import Found
from eksml.checks.nodes import has_all_nodes
from eksml.checks.workloads import RELEASE, chart_of, crds_of, overlay_of, workloads_of
from eksml.errors import listed, nearest
from eksml.plan import Plan, Resource
from eksml.plan.believable import kubernetes_name
from eksml.plan.canonical import KUSTOMIZE_DIRECTORY
from eksml.plan.model import UNKNOWN

_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


def reference_exists(plan: Plan) -> Iterator[Found]:
    """What each object names exists, where the Plan makes the whole cluster: kinds, namespaces, storage, accounts."""
    if not has_all_nodes(plan):
        return
    for resource in plan.resources:
        if resource.package == "kubernetes" and resource.type != RELEASE:
            yield from (Found(resource, text) for text in _lost_references(resource, plan))
    for workload in workloads_of(plan):
        account, namespace = workload.pod.get("serviceAccountName"), _namespace_of(workload.resource)
        known = {"default", *_made(plan, "ServiceAccount").get(namespace, ())}
        if account and account not in known and not _is_unseen(account, namespace, plan):
            near = nearest(account, known) or f", there is {listed(sorted(known))}"
            text = f"service account {account} does not exist in {namespace}{near}"
            yield Found(workload.resource, f"{workload.name}: {text}")
        for volume in workload.pod.get("volumes") or ():
            yield from (Found(workload.resource, f"{workload.name}: {text}") for text in _lost_driver(volume, plan))
        if _reports_to_mlflow(workload.pod) and names.MLFLOW_NAMESPACE not in _namespaces(plan):
            text = "reports to MLflow, which this platform does not have: give tracking.mlflow"
            yield Found(workload.resource, f"{workload.name} {text}")


def secret_exists(plan: Plan) -> Iterator[Found]:
    """Each secret that a pod reads is made by the Plan."""
    return _missing(plan, "Secret", "reads secret", _SECRETS)


def config_map_exists(plan: Plan) -> Iterator[Found]:
    """Each ConfigMap that a pod reads is made by the Plan."""
    return _missing(plan, "ConfigMap", "reads ConfigMap", _CONFIG_MAPS)


def claim_exists(plan: Plan) -> Iterator[Found]:
    """Each claim of a volume that a pod mounts is made by the Plan."""
    return _missing(plan, "PersistentVolumeClaim", "mounts claim", _CLAIMS)


# Where a pod names what it needs: the key of the reference, and the key of the name in it.
_SECRETS = (("secretKeyRef", "name"), ("secretRef", "name"), ("secret", "secretName"), ("secret", "name"))
_CONFIG_MAPS = (("configMapKeyRef", "name"), ("configMapRef", "name"), ("configMap", "name"))
_CLAIMS = (("persistentVolumeClaim", "claimName"),)
# By the name of what a platform makes for its teams: the setting that does.
_MADE_BY = {names.WANDB: "tracking.weightsAndBiases makes it for its teams"}
# Kubernetes makes it in every namespace.
_CLUSTER_CERTIFICATES = "kube-root-ca.crt"


def _missing(plan: Plan, kind: str, needs: str, keys: Iterable[tuple[str, str]]) -> Iterator[Found]:
    """What the pods of a Plan cannot do without, and nothing in it makes."""
    for workload in workloads_of(plan) if has_all_nodes(plan) else ():
        namespace = _namespace_of(workload.resource)
        made = _made(plan, kind).get(namespace, set())
        for name in sorted(_named(workload.pod, keys) - made - {_CLUSTER_CERTIFICATES}):
            if not _is_unseen(name, namespace, plan):
                advice = _MADE_BY.get(name, "make it first")
                yield Found(workload.resource, f"{workload.name} {needs} {name} in {namespace}: {advice}")


@lru_cache(maxsize=4)
def _made(plan: Plan, kind: str) -> Mapping[str, set[str]]:
    """By namespace, the names of the objects of a kind, of Kubernetes' core, that the Plan makes."""
    found = defaultdict[str, set[str]](set)
    for each in plan.of_type(f"kubernetes:core/v1:{kind}"):
        found[_namespace_of(each)].add(kubernetes_name(each.inputs, each.urn))
    return found


def _is_unseen(name: str, namespace: str, plan: Plan) -> bool:
    """Whether it may be there all the same: its name is not known yet, or a chart makes what it likes beside it."""
    return UNKNOWN in (name, namespace) or namespace in chart_namespaces(plan)


def _reports_to_mlflow(pod: Mapping[str, Any]) -> bool:
    """Whether a container of a pod is told of the platform's own MLflow."""
    variables = [variable for container in pod.get("containers") or () for variable in container.get("env") or ()]
    return any(variable.get("value") == names.MLFLOW_URL for variable in variables)


def _namespace_of(resource: Resource) -> str:
    return str((resource.inputs.get("metadata") or {}).get("namespace") or "default")


def _lost_references(resource: Resource, plan: Plan) -> Iterator[str]:
    bringer = _bringers().get(_crd_of(resource))
    if bringer and _crd_of(resource) not in _crds(plan) and not _brings_unseen(plan):
        yield f"nothing on this platform brings the kind {resource.inputs.get('kind')}: {bringer} does"
    namespace = (resource.inputs.get("metadata") or {}).get("namespace")
    if namespace and namespace not in _namespaces(plan):
        yield f"namespace {namespace} does not exist{nearest(namespace, _namespaces(plan))}"
    yield from _lost_storage(resource, plan)


def _lost_storage(resource: Resource, plan: Plan) -> Iterator[str]:
    spec = resource.inputs.get("spec") or {}
    if resource.type == "kubernetes:core/v1:PersistentVolume":
        yield from _lost_driver(spec, plan)
    if resource.type == "kubernetes:core/v1:PersistentVolumeClaim":
        storage_class = spec.get("storageClassName")
        if storage_class and storage_class not in _storage_classes(plan):
            known = _storage_classes(plan)
            yield f"StorageClass {storage_class} does not exist, the platform has {', '.join(sorted(known)) or 'none'}"


def _lost_driver(volume: Mapping[str, Any], plan: Plan) -> Iterator[str]:
    driver = (volume.get("csi") or {}).get("driver")
    addons = [name for name, addon in eks_addons().items() if driver and addon.csi_driver == driver]
    if addons and not set(addons) & _addons(plan):
        yield f"nothing on this platform brings the driver {driver}: add-on {addons[0]} does"


@lru_cache(maxsize=1)
def _namespaces(plan: Plan) -> frozenset[str]:
    made = {kubernetes_name(each.inputs, each.urn) for each in plan.of_type("kubernetes:core/v1:Namespace")}
    return frozenset({*_NAMESPACES, *made, *chart_namespaces(plan)})


@lru_cache(maxsize=1)
def chart_namespaces(plan: Plan) -> frozenset[str]:
    """The namespaces with a chart in them, which makes what it likes there."""
    return frozenset(str(each.inputs.get("namespace")) for each in plan.of_type(RELEASE))


@lru_cache(maxsize=1)
def _addons(plan: Plan) -> frozenset[str]:
    return frozenset(str(each.inputs.get("addonName")) for each in plan.of_type("aws:eks/addon:Addon"))


@lru_cache(maxsize=1)
def _storage_classes(plan: Plan) -> frozenset[str]:
    made = plan.of_type("kubernetes:storage.k8s.io/v1:StorageClass")
    return frozenset(kubernetes_name(each.inputs, each.urn) for each in made)


@lru_cache(maxsize=1)
def _crds(plan: Plan) -> frozenset[str]:
    """The names of the definitions that the Plan installs."""
    return frozenset(crd for resource in plan.resources for crd in crds_of(resource))


@lru_cache(maxsize=1)
def _brings_unseen(plan: Plan) -> bool:
    """Whether the Plan installs what the catalog does not know, which may bring any kind."""
    return any(
        (resource.type == RELEASE and chart_of(resource) is None)
        or (resource.type == KUSTOMIZE_DIRECTORY and overlay_of(resource) is None)
        or resource.type.startswith("kubernetes:yaml")
        for resource in plan.resources
    )


@lru_cache(maxsize=1)
def _bringers() -> dict[str, str]:
    """By the name of a definition, the setting of a platform that brings it, or else the chart or add-on."""
    of_charts = {crd: fact.setting or f"chart {name}" for name, fact in charts().items() for crd in fact.crds}
    of_addons = {crd: f"add-on {name}" for name, fact in eks_addons().items() for crd in fact.crds}
    # Of the two that have MPIJob the MPI operator comes last: out of the training operator's overlay it is taken.
    return of_charts | of_addons | {crd: fact.setting for fact in kustomizations().values() for crd in fact.crds}


def _crd_of(resource: Resource) -> str:
    group = str(resource.inputs.get("apiVersion")).partition("/")[0]
    kind = str(resource.inputs.get("kind")).lower()
    return f"{kind}{'es' if kind.endswith('s') else 's'}.{group}"


def _named(value: Any, keys: Iterable[tuple[str, str]]) -> set[str]:
    """What a pod names under some keys, at any depth; what it can do without does not count."""
    if isinstance(value, list):
        return {name for item in value for name in _named(item, keys)}
    if not isinstance(value, Mapping):
        return set()
    found = {name for item in value.values() for name in _named(item, keys)}
    for key, name in keys:
        reference = value.get(key)
        if isinstance(reference, Mapping) and reference.get(name) and not reference.get("optional"):
            found.add(str(reference[name]))
    return found
