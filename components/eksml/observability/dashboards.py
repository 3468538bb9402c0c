"""Dashboards as data: what each of the files beside this one says, and how it becomes what Grafana reads.

A dashboard is rows of panels; a panel is queries, what they are in, and how they are drawn. Places are computed, so
that panels never overlap. In a query `$pods` stands for the matchers of the servers that somebody chose.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from eksml.catalog import EngineKind, engines, exporters, series_in
from eksml.packaged_yaml import load_yaml

DATASOURCE = "prometheus"
"""The uid of Grafana's only source of data."""

# What a figure is in, and Grafana's name of it.
UNITS = {
    "bytes": "bytes",
    "celsius": "celsius",
    "count": "short",
    "dollars": "currencyUSD",
    "mebibytes": "mbytes",
    "milliseconds": "ms",
    "percent": "percent",
    "perSecond": "suffix:/s",
    "requestsPerSecond": "reqps",
    "seconds": "s",
    "share": "percentunit",
    "tokensPerSecond": "suffix:tokens/s",
    "watts": "watt",
}
Unit = Literal[
    "bytes",
    "celsius",
    "count",
    "dollars",
    "mebibytes",
    "milliseconds",
    "percent",
    "perSecond",
    "requestsPerSecond",
    "seconds",
    "share",
    "tokensPerSecond",
    "watts",
]

_COLUMNS = 24
# How wide and high a panel is, by kind.
_SIZES = {"figure": (4, 4), "graph": (12, 8), "bars": (12, 8), "table": (24, 9)}
_CHOSEN_PODS = 'namespace=~"$namespace",eksml_dev_server=~"$server"'
_SCHEMA_VERSION = 39


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Query(_Part):
    """One query of a panel."""

    query: str
    """PromQL in which `$pods` stands for the servers chosen; or `signal NAME` or `analysis NAME`, the engine's own."""
    legend: str = ""
    """What a series is called; `{{label}}` stands for the value of a label. In a table: the column."""
    unit: Unit | None = None
    """What a column of a table is in; none given: what the panel is in."""


class Panel(_Part):
    """One panel."""

    title: str
    what: str
    """What it shows, and what to look for."""
    kind: Literal["figure", "graph", "bars", "table"] = "graph"
    unit: Unit = "count"
    queries: tuple[Query, ...]
    width: int | None = None
    """Columns out of 24; none given: as others of its kind."""
    maximum: float | None = None
    """The end of its scale, where it has one."""
    bad_above: float | None = None
    bad_below: float | None = None
    """From where on a figure is red."""
    stacked: bool = False


class Row(_Part):
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


class Dashboard(_Part):
    """One file."""

    title: str
    what: str
    """What it answers."""
    engines: tuple[EngineKind, ...] = ()
    """The model servers that it shows, where it shows some."""
    variables: dict[str, str]
    """What a person chooses, each with the query of its values."""
    rows: tuple[Row, ...]

    def text_of(self, query: str) -> str:
        """A query as Grafana gets it."""
        kind, _, name = query.partition(" ")
        if kind == "signal":
            query = engines()[self.engines[0]].signals[name].query
        elif kind == "analysis":
            query = getattr(engines()[self.engines[0]].analysis, name).query
        return query.replace("$pods", _CHOSEN_PODS)

    @property
    def exporters(self) -> set[str]:
        """The exporters without which a part of it stays empty, beside those of its model servers."""
        own = frozenset[str]().union(*(exporters()[engines()[each].exporter].series for each in self.engines))
        read = frozenset[str]().union(*map(series_in, self.queries())) - own
        return {name for name, exporter in exporters().items() if exporter.series & read}

    def queries(self) -> Iterator[str]:
        """Every query, as Grafana gets it."""
        for row in self.rows:
            for panel in row.panels:
                yield from (self.text_of(each.query) for each in panel.queries)


@cache
def dashboards() -> dict[str, Dashboard]:
    """Every dashboard, by the name of its file."""
    found = sorted(files("eksml.observability").joinpath("dashboards").iterdir(), key=lambda each: each.name)
    return {
        each.name.removesuffix(".yaml"): Dashboard.model_validate(load_yaml(each.read_text(encoding="utf-8")))
        for each in found
        if each.name.endswith(".yaml")
    }


def dashboards_for(measured: Collection[str], served: Collection[str]) -> dict[str, Dashboard]:
    """Those that these exporters fill, and of model servers those that are served."""
    return {
        name: each
        for name, each in dashboards().items()
        if each.exporters <= set(measured) and (not each.engines or set(each.engines) & set(served))
    }


def as_json(name: str, dashboard: Dashboard) -> str:
    """A dashboard as Grafana reads it from a file."""
    return json.dumps(_model(name, dashboard), separators=(",", ":"))


def _model(name: str, dashboard: Dashboard) -> dict[str, Any]:
    return {
        "uid": f"eksml-{name}",
        "title": dashboard.title,
        "description": dashboard.what,
        "tags": ["eksml"],
        "schemaVersion": _SCHEMA_VERSION,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_variable(*each) for each in dashboard.variables.items()]},
        "annotations": {"list": []},
        "links": [],
        "panels": list(_panels(dashboard)),
    }


def _variable(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": name.replace("_", " "),
        "type": "query",
        "datasource": _source(),
        "query": {"query": query, "refId": name},
        # When the time changes, too: servers and pools come and go.
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _source() -> dict[str, str]:
    return {"type": "prometheus", "uid": DATASOURCE}


def _panels(dashboard: Dashboard) -> Iterator[dict[str, Any]]:
    number, top = 1, 0
    for row in dashboard.rows:
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": top, "w": _COLUMNS, "h": 1},
        }
        number, top, left, height = number + 1, top + 1, 0, 0
        for panel in row.panels:
            width, own_height = _SIZES[panel.kind]
            width = panel.width or width
            if left + width > _COLUMNS:
                top, left, height = top + height, 0, 0
            place = {"x": left, "y": top, "w": width, "h": own_height}
            yield {"id": number, "gridPos": place, **_panel(panel, dashboard)}
            number, left, height = number + 1, left + width, max(height, own_height)
        top += height


def _panel(panel: Panel, dashboard: Dashboard) -> dict[str, Any]:
    return {
        "type": {"figure": "stat", "graph": "timeseries", "bars": "bargauge", "table": "table"}[panel.kind],
        "title": panel.title,
        "description": panel.what,
        "datasource": _source(),
        "targets": [_target(panel, number, dashboard) for number in range(len(panel.queries))],
        "fieldConfig": {"defaults": _field(panel), "overrides": list(_columns(panel))},
        "options": _options(panel),
        **({"transformations": _merged(panel)} if panel.kind == "table" else {}),
    }


def _target(panel: Panel, number: int, dashboard: Dashboard) -> dict[str, Any]:
    query, is_graph = panel.queries[number], panel.kind == "graph"
    # Of now: a table, bars, and a sum over all the time that is shown. A graph and the line behind a figure are not.
    at_once = panel.kind in ("table", "bars") or "$__range" in query.query
    return {
        "refId": chr(ord("A") + number),
        "datasource": _source(),
        "expr": dashboard.text_of(query.query),
        "legendFormat": query.legend or ("__auto" if is_graph else ""),
        "instant": at_once,
        "range": not at_once,
        "format": "table" if panel.kind == "table" else "time_series",
    }


def _field(panel: Panel) -> dict[str, Any]:
    field: dict[str, Any] = {"unit": UNITS[panel.unit], "min": 0, "thresholds": _thresholds(panel)}
    if panel.maximum is not None:
        field["max"] = panel.maximum
    if panel.kind == "graph":
        stacking = {"group": "A", "mode": "normal" if panel.stacked else "none"}
        fill = 40 if panel.stacked else 10
        field["custom"] = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": fill, "stacking": stacking}
    else:
        field["color"] = {"mode": "thresholds"}
    return field


def _thresholds(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "red" if panel.bad_below is not None else "green", "value": None}]
    if panel.bad_below is not None:
        steps.append({"color": "green", "value": panel.bad_below})
    if panel.bad_above is not None:
        steps.append({"color": "red", "value": panel.bad_above})
    return {"mode": "absolute", "steps": steps}


def _columns(panel: Panel) -> Iterator[dict[str, Any]]:
    for query in panel.queries if panel.kind == "table" else ():
        unit = {"id": "unit", "value": UNITS[query.unit or panel.unit]}
        yield {"matcher": {"id": "byName", "options": query.legend}, "properties": [unit]}


def _merged(panel: Panel) -> list[dict[str, Any]]:
    """One line for each set of labels, with a column for each query."""
    values = {f"Value #{chr(ord('A') + number)}": query.legend for number, query in enumerate(panel.queries)}
    # With a single query Grafana calls the column so.
    renamed = {**values, "Value": panel.queries[0].legend}
    options = {"excludeByName": {"Time": True}, "renameByName": renamed, "indexByName": {}}
    return [{"id": "merge", "options": {}}, {"id": "organize", "options": options}]


def _options(panel: Panel) -> dict[str, Any]:
    reduced = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    if panel.kind == "figure":
        judged = panel.bad_above is not None or panel.bad_below is not None
        return {"reduceOptions": reduced, "graphMode": "area", "colorMode": "value" if judged else "none"}
    if panel.kind == "bars":
        return {"reduceOptions": reduced, "orientation": "horizontal", "displayMode": "basic"}
    if panel.kind == "table":
        return {"showHeader": True, "cellHeight": "sm"}
    legend = {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull", "max"]}
    return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
