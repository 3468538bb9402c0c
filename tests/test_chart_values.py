"""Every value that a stack passes to a chart exists in the chart, or is listed as free-form with a reason."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from eksml import catalog, names
from eksml.plan.project import find_stack
from eksml.plan.recorder import record
from eksml.profiles import PROFILES

ROOT = Path(__file__).parents[1]


@cache
def passed(stack: str) -> dict[str, Any]:
    releases = record(find_stack(str(ROOT), stack)).of_type("kubernetes:helm.sh/v3:Release")
    return {release.inputs["chart"].rpartition("/")[2]: release.inputs for release in releases}


def unknown(given: Any, defaults: Any, path: str = "") -> list[str]:
    """The paths of what is given and has no default; below an empty default anything may stand."""
    if not isinstance(given, dict) or defaults in ({}, None):
        return []
    missing = [f"{path}{key}" for key in given if key not in defaults]
    return missing + [
        found for key in given if key in defaults for found in unknown(given[key], defaults[key], f"{path}{key}.")
    ]


@pytest.mark.parametrize("stack", PROFILES)
def test_every_value_that_is_passed_exists_in_the_chart(stack: str, shared: Path) -> None:
    assert passed(stack)
    for chart, inputs in passed(stack).items():
        defaults = yaml.safe_load((shared / "charts" / chart / "values.yaml").read_text()) or {}
        free = catalog.charts()[chart].free_form
        assert [path for path in unknown(inputs["values"], defaults) if path not in free] == [], chart


@pytest.mark.parametrize("stack", PROFILES)
def test_every_release_is_a_chart_of_the_catalog_at_its_version(stack: str) -> None:
    for chart, inputs in passed(stack).items():
        fact = catalog.charts()[chart]
        assert (inputs["chart"], inputs["version"], inputs["namespace"]) == (fact.chart, fact.version, fact.namespace)


def at(values: dict[str, Any], path: str | None) -> Any:
    for step in path.split(".") if path else ():
        values = values.get(step, {})
    return values


@pytest.mark.parametrize("stack", PROFILES)
def test_what_runs_on_gpu_nodes_tolerates_their_taint_and_has_requests_and_limits(stack: str) -> None:
    for chart, inputs in passed(stack).items():
        for workload in catalog.charts()[chart].workloads:
            if workload.nodes in ("gpu", "all") and workload.tolerations:
                assert names.gpu_toleration() in at(inputs["values"], workload.tolerations), workload.name
            if workload.resources:
                assert {"requests", "limits"} <= set(at(inputs["values"], workload.resources)), workload.name
