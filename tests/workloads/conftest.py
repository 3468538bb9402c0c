"""Tests that need a framework are skipped without it, and say how to get it."""

import importlib.util

import pytest

from parts import skip


@pytest.fixture(scope="module", autouse=True)
def _framework(request: pytest.FixtureRequest) -> None:
    marker = request.node.get_closest_marker("workload")
    if marker and importlib.util.find_spec(marker.kwargs["module"]) is None:
        file = request.path.relative_to(request.config.rootpath)
        command = f"uv run --group {marker.kwargs['group']} pytest -m workload -n 0 {file}"
        skip(f"{marker.kwargs['module']} is missing: {command}")
