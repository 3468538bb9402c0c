"""The pods that a Plan starts: those of its own objects, and those that charts and add-ons start unseen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from eksml.catalog import (
    Chart,
    ChartWorkload,
    Overlay,
    OverlayWorkload,
    chart_values,
    charts,
    eks_addons,
    images,
    kustomizations,
)
from eksml.checks.quantities import amount_of
from eksml.image_registry import value_at
from eksml.plan import Plan, Resource
from eksml.plan.canonical import KUSTOMIZE_DIRECTORY

RELEASE = "kubernetes:helm.sh/v3:Release"
ADDON = "aws:eks/addon:Addon"

# Kinds that hold pods only for others to make, and that are no workload of their own.
_NOT_WORKLOADS = ("NodePool", "EC2NodeClass", "NodeOverlay", "ClusterTrainingRuntime", "TrainingRuntime")

# What stands in a predictor of KServe beside the spec of its pods.
_NOT_OF_THE_POD = ("annotations", "autoScaling", "deploymentStrategy", "labels", "maxReplicas", "minReplicas", "model")


@dataclass(frozen=True)
class Workload:
    """Pods of one kind."""

    resource: Resource
    name: str
    kind: str
    pod: Mapping[str, Any]
    """The pod's spec."""
    meant_for: str | None = None
    """The nodes that it is meant for: gpu, efa, all or cpu; None: whichever it chooses itself."""
    count: int = 1
    """How many of them run at once, as far as it is said."""
    is_complete: bool = True
    """Whether all of its spec is known; that of an add-on is only where its configuration sets it."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Those of its pods, as far as they are known."""

    @property
    def containers(self) -> tuple[Mapping[str, Any], ...]:
        """Its containers, those that run before the others or beside them as sidecars too."""
        return (*(self.pod.get("containers") or ()), *(self.pod.get("initContainers") or ()))

    @cached_property
    def requests(self) -> Mapping[str, int]:
        """What a pod asks for: cores in thousandths, memory and disk in MiB, others whole.

        Init containers run one after the other before the rest; a sidecar is one that goes on running from then on.
        Source: https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
        """
        most, sidecars = Counter[str](), Counter[str]()
        for container in self.pod.get("initContainers") or ():
            if container.get("restartPolicy") == "Always":
                sidecars += asked_of(container)
                most |= sidecars
            else:
                most |= sidecars + asked_of(container)
        return most | sum(map(asked_of, self.pod.get("containers") or ()), sidecars)


def asked_of(container: Mapping[str, Any]) -> Counter[str]:
    """What a container asks for, in the units of a workload's requests."""
    resources = container.get("resources") or {}
    asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return Counter({resource: amount_of(resource, amount) for resource, amount in asked.items()})


@lru_cache(maxsize=1)
def workloads_of(plan: Plan) -> tuple[Workload, ...]:
    """Every workload of a Plan."""
    return tuple(workload for resource in plan.resources for workload in _of(resource))


def _of(resource: Resource) -> Iterator[Workload]:
    if resource.type == RELEASE:
        yield from _of_release(resource)
    elif resource.type == ADDON:
        yield from _of_addon(resource)
    elif resource.type == KUSTOMIZE_DIRECTORY:
        yield from _of_overlay(resource)
    elif resource.package == "kubernetes" and resource.inputs.get("kind") not in _NOT_WORKLOADS:
        yield from _of_object(resource)


def chart_of(release: Resource) -> tuple[str, Chart] | None:
    """The catalog's entry for a release, by the last part of its chart's address."""
    name = str(release.inputs.get("chart", "")).rpartition("/")[2]
    return (name, charts()[name]) if name in charts() else None


def overlay_of(directory: Resource) -> Overlay | None:
    """The catalog's entry for an overlay of kustomize, by where it is, at whatever tag."""
    folder = str(directory.inputs.get("overlay", "")).partition("?")[0]
    return next((each for each in kustomizations().values() if each.folder == folder), None)


def crds_of(resource: Resource) -> set[str]:
    """The names of the CustomResourceDefinitions that a resource brings: a chart, an overlay, an add-on, or itself."""
    if resource.type == ADDON:
        addon = eks_addons().get(str(resource.inputs.get("addonName")))
        return set(addon.crds) if addon else set()
    if resource.type == RELEASE:
        known = None if resource.inputs.get("skipCrds") else chart_of(resource)
        return set(known[1].crds) if known else set()
    if resource.type == KUSTOMIZE_DIRECTORY:
        overlay, patches = overlay_of(resource), resource.inputs.get("patches") or ()
        taken_out = {patch["metadata"]["name"] for patch in patches if patch.get("$patch") == "delete"}
        return set(overlay.crds) - taken_out if overlay else set()
    if resource.type == "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition":
        return {str((resource.inputs.get("metadata") or {}).get("name"))}
    return set()


def _of_object(resource: Resource) -> Iterator[Workload]:
    kind = str(resource.inputs.get("kind"))
    name = str((resource.inputs.get("metadata") or {}).get("name", resource.name))
    if kind == "Pod":
        labels = (resource.inputs.get("metadata") or {}).get("labels") or {}
        yield Workload(resource, name, kind, resource.inputs.get("spec", {}), labels=labels)
        return
    if kind == "TrainJob":
        yield _of_train_job(resource, name)
        return
    if kind == "InferenceService":
        predictor = (resource.inputs.get("spec") or {}).get("predictor") or {}
        pod = {key: value for key, value in predictor.items() if key not in _NOT_OF_THE_POD}
        count, labels = int(predictor.get("minReplicas") or 1), predictor.get("labels") or {}
        yield Workload(resource, name, kind, pod, count=count, labels=labels)
        return
    for path, template, count in _pod_templates(resource.inputs.get("spec", {}), (), 1):
        labels = (template.get("metadata") or {}).get("labels") or {}
        yield Workload(resource, "-".join((name, *path)), kind, template["spec"], count=count, labels=labels)


def _of_train_job(job: Resource, name: str) -> Workload:
    """The nodes of a TrainJob: its patches of the runtime's pods, and what its trainer says of them.

    What the runtime itself says is in the cluster, and not known here.
    """
    spec = job.inputs.get("spec") or {}
    trainer = spec.get("trainer") or {}
    own = {"image": "image", "env": "env", "resources": "resourcesPerNode"}
    node = {"name": "node", **{key: trainer[given] for key, given in own.items() if trainer.get(given)}}
    pod: dict[str, Any] = {"containers": [node]}
    for _, patch, _ in _pod_templates(spec.get("runtimePatches"), (), 1):
        pod = _patched(pod, [{"spec": {"template": patch}}])
    return Workload(job, name, "TrainJob", pod, count=int(trainer.get("numNodes") or 1))


def _pod_templates(
    value: Any, path: tuple[str, ...], count: int
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any], int]]:
    """Every pod template at any depth, with the keys on the way that tell it from the others, and how many it makes."""
    if isinstance(value, Mapping):
        count *= _times(value)
        for key, item in value.items():
            further = path if key in ("spec", "template", "jobTemplate") else (*path, key)
            if _is_pod_template(key, item):
                # A LeaderWorkerSet's size is that of a group, which has one leader.
                yield further, item, count * (value.get("size", 2) - 1 if key == "workerTemplate" else 1)
            else:
                yield from _pod_templates(item, further, count)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _pod_templates(item, (*path, str(index)), count)


def _is_pod_template(key: str, value: Any) -> bool:
    return key.lower().endswith("template") and isinstance(value, Mapping) and "containers" in (value.get("spec") or {})


def _times(value: Mapping[str, Any]) -> int:
    """How often a part of a workload is there: its replicas, or as many pods of a Job as run at once."""
    if isinstance(value.get("replicas"), int):
        return value["replicas"]
    at_once, completions = value.get("parallelism"), value.get("completions")
    if not isinstance(at_once, int):
        return 1
    return min(at_once, completions) if isinstance(completions, int) else at_once


def _of_release(release: Resource) -> Iterator[Workload]:
    known = chart_of(release)
    if known is None:
        return
    name, chart = known
    values = laid_over(chart_values()[name], release.inputs.get("values") or {})
    for workload in chart.workloads:
        if workload.enabled and not value_at(values, workload.enabled):
            continue
        count = int((workload.replicas and value_at(values, workload.replicas)) or 1)
        yield Workload(release, workload.name, workload.kind, _pod_of(workload, values), workload.nodes, count=count)


def _pod_of(workload: ChartWorkload, values: Mapping[str, Any]) -> dict[str, Any]:
    def at(path: str | None) -> Any:
        return value_at(values, path) if path else None

    return {
        "nodeSelector": at(workload.node_selector) or {},
        "affinity": at(workload.affinity) or {},
        "tolerations": at(workload.tolerations) or [],
        "containers": [
            {
                "name": workload.name,
                "image": _image_of(workload, values),
                "resources": at(workload.resources) or {},
            }
        ],
    }


def _image_of(workload: ChartWorkload, values: Mapping[str, Any]) -> str:
    """The image that the values name; what they leave to the chart is the catalog's."""
    fact = images()[workload.image]
    repository = workload.image_value and value_at(values, workload.image_value)
    if repository and workload.image_value_is == "folder":
        repository = f"{repository}/{fact.repository.rpartition('/')[2]}"
    elif repository and workload.image_value_is == "registry":
        repository = f"{repository}/{fact.repository.partition('/')[2]}"
    tag = str((workload.image_tag and value_at(values, workload.image_tag)) or fact.tag)
    return f"{repository or fact.repository}{'@' if tag.startswith('sha256:') else ':'}{tag}"


def _of_overlay(directory: Resource) -> Iterator[Workload]:
    fact = overlay_of(directory)
    for workload in fact.workloads if fact else ():
        patches = [each for each in directory.inputs.get("patches") or () if _is_target(each, workload)]
        if not any(each.get("$patch") == "delete" for each in patches):
            pod = _patched(_overlay_pod(workload, directory.inputs.get("images") or {}), patches)
            count = max((value_at(each, "spec.replicas") or 1 for each in patches), default=1)
            yield Workload(directory, workload.name, workload.kind, pod, workload.nodes, count=count)


def _is_target(patch: Mapping[str, Any], workload: OverlayWorkload) -> bool:
    return (patch.get("kind"), patch.get("metadata", {}).get("name")) == (workload.kind, workload.name)


def _overlay_pod(workload: OverlayWorkload, replaced: Mapping[str, str]) -> dict[str, Any]:
    image = images()[workload.image]
    own = replaced.get(workload.image_in_overlay, f"{image.repository}:{image.tag}")
    return {"containers": [{"name": workload.container, "image": own}]}


def _patched(pod: dict[str, Any], patches: list[Mapping[str, Any]]) -> dict[str, Any]:
    """A pod as strategic merge patches leave it: mappings merge, containers by their names, all else is replaced."""
    for patch in patches:
        given = value_at(patch, "spec.template.spec") or {}
        containers = {each["name"]: each for each in pod["containers"]}
        for container in given.get("containers") or ():
            containers[container["name"]] = laid_over(containers.get(container["name"]), container)
        pod = laid_over(pod, {**given, "containers": list(containers.values())})
    return pod


def laid_over(base: Any, top: Any) -> Any:
    """Values over a chart's defaults, as Helm lays them: mappings merge, all else is replaced."""
    if not isinstance(base, Mapping) or not isinstance(top, Mapping):
        return top
    return {**base, **{key: laid_over(base.get(key), value) for key, value in top.items()}}


def _of_addon(addon: Resource) -> Iterator[Workload]:
    fact = eks_addons().get(str(addon.inputs.get("addonName")))
    configuration = json.loads(addon.inputs.get("configurationValues") or "{}")
    for workload in fact.workloads if fact else ():
        own = [{"operator": "Exists"}] if workload.tolerates_all_taints else []
        tolerations = value_at(configuration, workload.tolerations) if workload.tolerations else None
        resources = value_at(configuration, workload.resources) if workload.resources else None
        pod = {
            "tolerations": tolerations or own,
            "containers": [{"name": workload.name, "resources": resources or {}}],
        }
        yield Workload(addon, workload.name, workload.kind, pod, workload.nodes, is_complete=False)
