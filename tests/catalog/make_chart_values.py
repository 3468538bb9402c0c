"""Writes components/eksml/catalog/chart_values.json from the charts' own values.

    uv run python tests/catalog/make_chart_values.py

It needs the real charts, in the folder `shared` beside the checkout or where EKSML_SHARED says.
"""

import json
import os
from pathlib import Path
from typing import Any

import yaml

from eksml.catalog import Chart, charts

ROOT = Path(__file__).parents[2]
FILE = ROOT / "components" / "eksml" / "catalog" / "chart_values.json"


def chart_values(shared: Path) -> dict[str, Any]:
    """For each chart: every value that it knows, and the defaults of those that decide on which nodes a pod runs."""
    return {
        name: _reduced(real_values(shared, name, chart), _placement(chart), ())
        for name, chart in sorted(charts().items())
    }


def real_values(shared: Path, name: str, chart: Chart) -> dict[str, Any]:
    """The values of a chart; of one whose own were not read, those that the catalog knows of."""
    if chart.known_values is not None:
        return chart.known_values
    return yaml.safe_load((shared / "charts" / folder_of(name) / "values.yaml").read_text()) or {}


def folder_of(name: str) -> str:
    """What the folder with a chart is called: of KServe's not as the chart is."""
    return {"kserve-resources": "kserve"}.get(name, name)


def written(values: dict[str, Any]) -> str:
    """The file's text: a line for each chart."""
    lines = [f"  {json.dumps(name)}: {json.dumps(tree, sort_keys=True)}" for name, tree in values.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _placement(chart: Chart) -> set[tuple[str, ...]]:
    paths = {
        path
        for workload in chart.workloads
        for path in (
            workload.node_selector,
            workload.affinity,
            workload.tolerations,
            workload.resources,
            workload.replicas,
            workload.enabled,
        )
        if path
    }
    return {tuple(path.split(".")) for path in paths}


def _reduced(value: Any, kept: set[tuple[str, ...]], path: tuple[str, ...]) -> Any:
    if path in kept:
        return value
    if isinstance(value, dict):
        return {key: _reduced(item, kept, (*path, key)) for key, item in value.items()}
    return [] if isinstance(value, list) else None


if __name__ == "__main__":
    FILE.write_text(
        written(chart_values(Path(os.environ.get("EKSML_SHARED", ROOT.parent / "shared")))), encoding="utf-8"
    )
