"""Charts, overlays and images: pinned, from where they should come, with values that they know."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from eksml.catalog import Chart, chart_values, images
from eksml.checks.finding import Found
from eksml.checks.workloads import RELEASE, Workload, chart_of, overlay_of, workloads_of
from eksml.image_registry import is_in_ecr
from eksml.plan import Plan, Resource
from eksml.plan.canonical import KUSTOMIZE_DIRECTORY

_MOVING_TAG = re.compile(r"$|(.*[-._])?(latest|main|master|nightly|stable|edge|dev)([-._]|$)")


def pinned(plan: Plan) -> Iterator[Found]:
    """Every chart has a version, every overlay a tag or commit, every image a tag that does not move or a digest."""
    for release in plan.of_type(RELEASE):
        if not re.fullmatch(r"v?\d+\.\d+\.\d+\S*", str(release.inputs.get("version") or "")):
            yield Found(release, f"chart {release.inputs.get('chart')} has no version")
        for image in _named(release.inputs.get("values")) if chart_of(release) is None else ():
            if not _is_fixed(image):
                yield Found(release, f"image {image} has no fixed tag")
    for overlay in plan.of_type(KUSTOMIZE_DIRECTORY):
        address = str(overlay.inputs.get("overlay") or overlay.inputs.get("directory") or "")
        ref = re.search(r"[?&]ref=([^&]+)", address)
        if "://" in address and (ref is None or _MOVING_TAG.match(ref[1])):
            yield Found(overlay, f"overlay {address} has no fixed tag")
    for workload in workloads_of(plan):
        for image in _images(workload):
            if not _is_fixed(image):
                yield Found(workload.resource, f"{workload.name}: image {image} has no fixed tag")


def _is_fixed(image: str) -> bool:
    tag = image.rpartition("/")[2].partition(":")[2]
    return "@sha256:" in image or not _MOVING_TAG.match(tag)


def _named(values: Any) -> Iterator[str]:
    """The images of values that are not known, where they give both a repository and a tag, as most charts want it."""
    if isinstance(values, list):
        for item in values:
            yield from _named(item)
    elif isinstance(values, Mapping):
        if values.get("repository") and values.get("tag") and not values.get("digest"):
            yield f"{values['repository']}:{values['tag']}"
        for item in values.values():
            yield from _named(item)


def chart_value_exists(plan: Plan) -> Iterator[Found]:
    """Every value that is passed to a chart exists in it, or is listed as free-form."""
    for release in plan.of_type(RELEASE):
        if known := chart_of(release):
            name, chart = known
            free = (*chart.free_form, *_fields_of_kubernetes(chart))
            for path in _unknown(release.inputs.get("values") or {}, chart_values()[name], ""):
                if not any(path == each or path.startswith(f"{each}.") for each in free):
                    yield Found(release, f"chart {name} has no value {path}")


def _fields_of_kubernetes(chart: Chart) -> Iterator[str]:
    """Where a chart's values become fields of a pod as they are, whatever their default holds."""
    for workload in chart.workloads:
        yield from filter(None, (workload.node_selector, workload.affinity, workload.resources))


def image_registry(plan: Plan) -> Iterator[Found]:
    """With a registry of one's own, every chart and image comes from it, or from AWS."""
    for platform in plan.of_type("eksml:platform:Platform"):
        if registry := (platform.inputs.get("spec") or {}).get("imageRegistry"):
            for release in plan.of_type(RELEASE):
                yield from (Found(release, text) for text in _from_elsewhere(release.inputs, registry))
            for workload in workloads_of(plan):
                for image in _images(workload):
                    if not _is_within(image, registry):
                        yield Found(workload.resource, f"{workload.name}: image {image} is not from {registry}")
            for overlay in plan.of_type(KUSTOMIZE_DIRECTORY):
                for image in _images_of_jobs(overlay):
                    if not _is_within(image, registry):
                        yield Found(overlay, f"image {image}, for pods of jobs, is not from {registry}")


def _from_elsewhere(release: Mapping[str, Any], registry: str) -> Iterator[str]:
    address = str(release.get("chart"))
    if release.get("repositoryOpts") or not _is_within(address.removeprefix("oci://"), registry):
        yield f"chart {address} is not from {registry}"
    name = address.rpartition("/")[2]
    if name not in chart_values():
        yield f"chart {name} is not in the catalog, so where its images come from is not known"


def _images_of_jobs(overlay: Resource) -> Iterator[str]:
    """The images that an operator starts in the pods of jobs: as an argument of its says, or else its own."""
    known, patches = overlay_of(overlay), json.dumps(overlay.inputs.get("patches") or ())
    for workload in known.workloads if known else ():
        for name in workload.job_images:
            repository = images()[name].repository
            told = re.search(rf'=([^"\s]*{re.escape(repository)}:[^"\s]+)', patches)
            yield told[1] if told else repository


def _is_within(address: str, registry: str) -> bool:
    return address.startswith(f"{registry}/") or is_in_ecr(address)


def _unknown(given: Any, known: Any, path: str) -> Iterator[str]:
    """The paths of what is given and has no default; below an empty default anything may stand."""
    if not isinstance(given, Mapping) or not isinstance(known, Mapping) or not known:
        return
    for key, value in given.items():
        if key not in known:
            yield f"{path}{key}"
        else:
            yield from _unknown(value, known[key], f"{path}{key}.")


def _images(workload: Workload) -> Iterator[str]:
    for container in workload.containers:
        if container.get("image"):
            yield str(container["image"])
