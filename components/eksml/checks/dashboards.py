"""Dashboards: that what they show is measured."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from eksml.catalog import exporters, series_in
from eksml.checks.finding import Found
from eksml.checks.nodes import has_all_nodes
from eksml.checks.scaling import has_exporter, is_of_platform
from eksml.errors import listed, nearest
from eksml.plan import Plan, Resource

_CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
# By it Grafana's sidecar finds dashboards.
_LABEL = "grafana_dashboard"


def dashboard_measured(plan: Plan) -> Iterator[Found]:
    """Whatever a dashboard shows is exported by something on the platform; model servers come and go beside it."""
    for config_map in plan.of_type(_CONFIG_MAP) if has_all_nodes(plan) else ():
        if _LABEL in ((config_map.inputs.get("metadata") or {}).get("labels") or {}):
            for series in sorted({each for query in _queries(config_map) for each in series_in(query)}):
                if text := _missing(series, plan):
                    yield Found(config_map, text)


def _missing(series: str, plan: Plan) -> str | None:
    known = {name for name, exporter in exporters().items() if series in exporter.series}
    if not known:
        every = {each for exporter in exporters().values() for each in exporter.series}
        return f"shows {series}, which nothing in the catalog exports{nearest(series, every)}"
    if all(is_of_platform(name) and not has_exporter(name, plan) for name in known):
        titles = listed(sorted(exporters()[name].title for name in known))
        return f"shows {series} of {titles}, which nothing on this platform measures"
    return None


def _queries(config_map: Resource) -> Iterator[str]:
    for text in (config_map.inputs.get("data") or {}).values():
        yield from _expressions(json.loads(text))


def _expressions(value: Any) -> Iterator[str]:
    """What stands under `expr`, at any depth: panels may be in rows."""
    if isinstance(value, list):
        for item in value:
            yield from _expressions(item)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key == "expr":
                yield str(item)
            else:
                yield from _expressions(item)
