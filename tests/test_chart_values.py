"""What the stacks pass to charts; that the charts know every value of it is a check of its own."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from eksml import catalog, names
from eksml.profiles import PROFILES
from programs import stack_plan

ROOT = Path(__file__).parents[1]


@cache
def passed(stack: str) -> dict[str, Any]:
    releases = stack_plan(stack).of_type("kubernetes:helm.sh/v3:Release")
    return {release.inputs["chart"].rpartition("/")[2]: release.inputs for release in releases}


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
            is_there = workload.enabled is None or at(inputs["values"], workload.enabled) is True
            if is_there and workload.nodes in ("gpu", "all") and workload.tolerations:
                assert names.gpu_toleration() in at(inputs["values"], workload.tolerations), workload.name
            if is_there and workload.resources:
                assert {"requests", "limits"} <= set(at(inputs["values"], workload.resources)), workload.name
