"""Helm charts: where they are, what they install, and where their values hold the placement of each workload."""

from functools import cache
from typing import Any, Literal

from eksml.catalog._eks_addons import Nodes
from eksml.catalog._facts import Fact, SourcedFact, load


class ChartImage(Fact):
    """An image that a chart names. A path is None where the chart's values cannot set that part."""

    image: str
    """The image's name in the catalog."""
    image_value: str | None
    """Where the values hold the repository of the image."""
    image_value_is: Literal["repository", "folder", "registry"] = "repository"
    """Whether that value names the repository whole, or only the folder or the registry that it is in."""
    image_tag: str | None
    """Where they hold its tag."""


class ChartWorkload(ChartImage):
    """A workload that a chart starts."""

    name: str
    kind: Literal["DaemonSet", "Deployment", "StatefulSet"]
    nodes: Nodes
    node_selector: str | None
    affinity: str | None
    tolerations: str | None
    resources: str | None
    replicas: str | None = None
    enabled: str | None = None
    """Where they say whether it is there; None: it always is."""


class Chart(SourcedFact):
    """One Helm chart at its pinned version."""

    chart: str
    """The chart's name, or its whole address where it is an OCI artifact."""
    repository: str | None
    version: str
    namespace: str
    setting: str | None = None
    """The setting of a platform that brings it, where kinds of it may be missed."""
    crds: tuple[str, ...]
    """The names of the CustomResourceDefinitions that it installs."""
    hooks: tuple[str, ...]
    """Its Helm hooks, each with what it does."""
    workloads: tuple[ChartWorkload, ...]
    side_images: tuple[ChartImage, ...] = ()
    """What runs beside them in the same pods."""
    free_form: dict[str, str]
    """Values that may be passed although the chart's values.yaml does not have them, with the reason."""
    known_values: dict[str, Any] | None = None
    """Where nobody has read its values.yaml at this version: those that other sources know."""


@cache
def chart_values() -> dict[str, Any]:
    """For each chart: every value that it knows, and the defaults of those that decide on which nodes a pod runs."""
    return load("chart_values.json")


@cache
def charts() -> dict[str, Chart]:
    """Every chart of the catalog, by name."""
    return {name: Chart.model_validate(entry) for name, entry in load("charts.yaml")["charts"].items()}
