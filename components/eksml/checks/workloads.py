"""The pods that a Plan starts: those of its own objects, and those that charts and add-ons start unseen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any

from eksml.catalog import Chart, ChartWorkload, chart_values, charts, eks_addons, images
from eksml.image_registry import value_at
from eksml.plan import Plan, Resource

RELEASE = "kubernetes:helm.sh/v3:Release"
ADDON = "aws:eks/addon:Addon"

# Kinds that hold pods only for others to make, and that are no workload of their own.
_NOT_WORKLOADS = ("NodePool", "EC2NodeClass", "NodeOverlay")


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
    is_complete: bool = True
    """Whether all of its spec is known; that of an add-on is only where its configuration sets it."""

    @cached_property
    def requests(self) -> dict[str, int]:
        """What a pod asks for: cores in thousandths, memory in MiB, others whole."""
        total = _asked(self.pod.get("containers") or ())
        for container in self.pod.get("initContainers") or ():
            # They run before the others, one after the other.
            for resource, amount in _asked([container]).items():
                total[resource] = max(total.get(resource, 0), amount)
        return total


def _asked(containers: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for container in containers:
        resources = container.get("resources") or {}
        for resource, amount in {**(resources.get("limits") or {}), **(resources.get("requests") or {})}.items():
            total[resource] = total.get(resource, 0) + amount_of(resource, amount)
    return total


@lru_cache(maxsize=1)
def workloads_of(plan: Plan) -> tuple[Workload, ...]:
    """Every workload of a Plan."""
    return tuple(workload for resource in plan.resources for workload in _of(resource))


def _of(resource: Resource) -> Iterator[Workload]:
    if resource.type == RELEASE:
        yield from _of_release(resource)
    elif resource.type == ADDON:
        yield from _of_addon(resource)
    elif resource.package == "kubernetes" and resource.inputs.get("kind") not in _NOT_WORKLOADS:
        yield from _of_object(resource)


def chart_of(release: Resource) -> tuple[str, Chart] | None:
    """The catalog's entry for a release, by the last part of its chart's address."""
    name = str(release.inputs.get("chart", "")).rpartition("/")[2]
    return (name, charts()[name]) if name in charts() else None


def amount_of(resource: str, amount: Any) -> int:
    """A quantity of Kubernetes: cores in thousandths, memory in MiB, others whole; 0 for what is no quantity.

    Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
    """
    match = re.fullmatch(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?", str(amount))
    if match is None:
        return 0
    number, unit = Decimal(match[1]), match[2] or ""
    whole = (
        number * _DECIMAL_UNITS[unit] if unit in _DECIMAL_UNITS else number * 1024 ** (_BINARY_UNITS.index(unit) + 1)
    )
    if resource == "cpu":
        return int(whole * 1000)
    return int(whole / 2**20) if resource in ("memory", "ephemeral-storage") else int(whole)


_BINARY_UNITS = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL_UNITS = {unit: Decimal(10) ** power for unit, power in {
    "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
}.items()}  # fmt: skip


def _of_object(resource: Resource) -> Iterator[Workload]:
    kind = str(resource.inputs.get("kind"))
    name = str((resource.inputs.get("metadata") or {}).get("name", resource.name))
    if kind == "Pod":
        yield Workload(resource, name, kind, resource.inputs.get("spec", {}))
        return
    for path, pod in _pod_templates(resource.inputs.get("spec", {}), ()):
        yield Workload(resource, "-".join((name, *path)), kind, pod)


def _pod_templates(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Every pod template at any depth, with the keys of mappings and lists on the way that tell it from the others."""
    if isinstance(value, Mapping):
        template = value.get("template")
        if isinstance(template, Mapping) and "containers" in (template.get("spec") or {}):
            yield path, template["spec"]
            return
        for key, item in value.items():
            is_plain = key in ("spec", "template", "jobTemplate")
            yield from _pod_templates(item, path if is_plain else (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _pod_templates(item, (*path, str(index)))


def _of_release(release: Resource) -> Iterator[Workload]:
    known = chart_of(release)
    if known is None:
        return
    name, chart = known
    values = laid_over(chart_values()[name], release.inputs.get("values") or {})
    for workload in chart.workloads:
        yield Workload(release, workload.name, workload.kind, _pod_of(workload, values), workload.nodes)


def _pod_of(workload: ChartWorkload, values: Mapping[str, Any]) -> dict[str, Any]:
    def at(path: str | None) -> Any:
        return value_at(values, path) if path else None

    image = images()[workload.image]
    return {
        "nodeSelector": at(workload.node_selector) or {},
        "affinity": at(workload.affinity) or {},
        "tolerations": at(workload.tolerations) or [],
        "containers": [
            {
                "name": workload.name,
                "image": f"{image.repository}:{image.tag}",
                "resources": at(workload.resources) or {},
            }
        ],
    }


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
