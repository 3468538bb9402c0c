"""Images and charts from a registry of one's own: a mirror, or a pull-through cache.

An image keeps its whole address below the registry: `registry.k8s.io/kueue/kueue` becomes
`REGISTRY/registry.k8s.io/kueue/kueue`. That is what a pull-through cache does whose prefix is the upstream's host; what
a cache does not reach (ECR's: nvcr.io) is copied there under the same address.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from eksml.catalog import Chart, images


def mirrored(address: str, registry: str) -> str:
    """The address of an image, or of the folder that it is in, below a registry."""
    return f"{registry}/{address}"


def image_of(name: str, registry: str | None) -> str:
    """An image of the catalog with its tag, from a registry if there is one."""
    image = images()[name]
    repository = mirrored(image.repository, registry) if registry and not is_in_ecr(image.repository) else None
    return f"{repository or image.repository}:{image.tag}"


def with_mirrored_pods(value: Any, registry: str) -> Any:
    """A part of an object, with every image of the catalog in its pods taken from a registry."""
    if isinstance(value, list):
        return [with_mirrored_pods(item, registry) for item in value]
    if not isinstance(value, dict):
        return value
    changed = {key: with_mirrored_pods(item, registry) for key, item in value.items()}
    if (name := _names().get(str(value.get("image")))) is not None:
        changed["image"] = image_of(name, registry)
    return changed


@cache
def _names() -> dict[str, str]:
    return {image.reference: name for name, image in images().items()}


def is_in_ecr(address: str) -> bool:
    """Whether an image or chart is in a registry of AWS, which nodes reach as they reach one of your own there."""
    return ".dkr.ecr." in address


def mirrored_chart(chart: Chart, registry: str) -> str:
    """The address of a chart below a registry, as an OCI artifact: what `helm push` makes of any chart."""
    source = chart.chart if chart.repository is None else f"{chart.repository}/{chart.chart}"
    return f"oci://{registry}/{source.partition('://')[2]}"


def with_mirrored_images(values: Mapping[str, Any], chart: Chart, registry: str) -> dict[str, Any]:
    """Values of a chart, with every image of it taken from a registry."""
    changed: dict[str, Any] = dict(values)
    for each in (*chart.workloads, *chart.side_images):
        if each.image_value:
            given = value_at(values, each.image_value) or images()[each.image].repository
            if is_in_ecr(given):
                continue
            address = {
                "repository": given,
                "folder": given.rpartition("/")[0],
                "registry": given.partition("/")[0],
            }[each.image_value_is]
            changed = _with(changed, each.image_value.split("."), mirrored(address, registry))
    return changed


def value_at(values: Mapping[str, Any], path: str) -> Any:
    """What stands at a path of values, or None."""
    for step in path.split("."):
        if not isinstance(values, Mapping):
            return None
        values = values.get(step, {})
    return values or None


def _with(values: Mapping[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    first, *rest = path
    return {**values, first: _with(values.get(first, {}), rest, value) if rest else value}
