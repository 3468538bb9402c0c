"""Dashboards: that Grafana can read them, that their queries are PromQL, and that what they name is measured."""

import json
import re
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard as GrafanaDashboard

from eksml.catalog import engines, exporters, series_in
from eksml.observability.costs import cost_rules
from eksml.observability.dashboards import DATASOURCE, as_json, dashboards, dashboards_for
from eksml.observability.observability import WITH_PROMETHEUS
from eksml.observability.prometheus import _LABELS
from parts import need_program

NAMES = sorted(dashboards())
# What Prometheus and its operator add to the series of pods, and PodMonitors of model servers copy from them.
ADDED = {"namespace", "pod", "container", "le", "eksml_dev_server"}
PLATFORM = {"costs", "dcgm", "kubeStateMetrics", "kubelet", "kueue", "prometheus"}


def model(name: str) -> dict[str, Any]:
    return json.loads(as_json(name, dashboards()[name]))


def panels(name: str) -> list[dict[str, Any]]:
    return [each for each in model(name)["panels"] if each["type"] != "row"]


def queries(name: str) -> Iterator[str]:
    """Every query, those too by which choices are listed, with what Grafana replaces replaced."""
    dashboard = dashboards()[name]
    listed = (re.fullmatch(r"label_values\((.*), \w+\)", each) for each in dashboard.variables.values())
    for query in (*dashboard.queries(), *(each[1] for each in listed if each)):
        yield query.replace("$__range", "1h")


@pytest.mark.parametrize("name", NAMES)
def test_grafanas_own_models_read_a_dashboard_and_lose_nothing_of_it(name: str) -> None:
    plugins.register_default_plugins()
    read = GrafanaDashboard.from_json(model(name))
    assert list(lost(model(name), json.loads(JSONEncoder(sort_keys=True).encode(read)))) == []


def lost(written: Any, read: Any, path: str = "") -> Iterator[str]:
    """Where a model has not what was written; defaults that it adds do not count."""
    if isinstance(written, dict) and isinstance(read, dict):
        for key, value in written.items():
            yield from lost(value, read[key], f"{path}/{key}") if key in read else [f"{path}/{key}"]
    elif isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        for number, (before, after) in enumerate(zip(written, read, strict=True)):
            yield from lost(before, after, f"{path}/{number}")
    elif written != read:
        yield path


@pytest.mark.parametrize("name", NAMES)
def test_panels_have_numbers_of_their_own_and_do_not_overlap(name: str) -> None:
    found = model(name)["panels"]
    assert len({each["id"] for each in found}) == len(found)
    cells = [
        (x, y)
        for place in (each["gridPos"] for each in found)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize("name", NAMES)
def test_a_row_is_full_or_its_last(name: str) -> None:
    """A hole in the middle of a dashboard is a figure that somebody took away."""
    found = model(name)["panels"]
    for before, after in pairwise(found):
        if after["type"] != "row" and after["gridPos"]["x"] == 0 and before["type"] != "row":
            assert before["gridPos"]["x"] + before["gridPos"]["w"] == 24, before["title"]


@pytest.mark.parametrize("name", NAMES)
def test_every_panel_asks_the_one_source_of_data_and_says_what_to_look_for(name: str) -> None:
    for panel in panels(name):
        assert panel["description"].endswith("."), panel["title"]
        for each in (panel, *panel["targets"]):
            assert each["datasource"] == {"type": "prometheus", "uid": DATASOURCE}
        assert len({each["refId"] for each in panel["targets"]}) == len(panel["targets"]) >= 1
        if panel["type"] == "table":
            assert all(each["legendFormat"] for each in panel["targets"]), "each query is a column with a name"


@pytest.mark.parametrize("name", NAMES)
def test_a_query_names_no_choice_that_the_dashboard_does_not_offer(name: str) -> None:
    chosen = {each for query in queries(name) for each in re.findall(r"\$(\w+)", query)}
    offered = set(dashboards()[name].variables)
    assert chosen <= offered
    assert {"namespace", "server"} <= offered or not dashboards()[name].engines


def test_a_sum_over_the_time_that_is_shown_is_made_once_and_not_for_every_point_of_a_line() -> None:
    targets = [target for name in NAMES for panel in panels(name) for target in panel["targets"]]
    sums = [each for each in targets if "$__range" in each["expr"]]
    assert sums
    assert all(each["instant"] and not each["range"] for each in sums)


def test_every_query_is_promql(tmp_path: Path) -> None:
    rules = [
        {"record": f"{name.replace('-', '_')}:{number}", "expr": query}
        for name in NAMES
        for number, query in enumerate(queries(name))
    ]
    assert len(rules) > 100
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    command = [need_program("promtool", "prometheus"), "check", "rules", "--lint=none", "rules.yaml"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_shows_only_what_the_platform_or_its_engine_exports(name: str) -> None:
    dashboard = dashboards()[name]
    allowed = PLATFORM | {engines()[each].exporter for each in dashboard.engines}
    known = frozenset().union(*(exporters()[each].series for each in allowed))
    for query in queries(name):
        assert series_in(query), query
        assert series_in(query) <= known, query


@pytest.mark.parametrize("name", NAMES)
def test_the_labels_of_a_query_are_those_of_its_metrics(name: str) -> None:
    for query in queries(name):
        bare = re.sub(r'label_replace\([^"]*"(\w+)"', "", query)
        for series, matchers in re.findall(r"([\w:]+)\{([^}]*)\}", bare):
            labels = set(re.findall(r'(\w+)(?:=~|!~|!=|=)"', matchers))
            assert labels <= labels_of(series) | ADDED, (series, query)
        had = set().union(*map(labels_of, series_in(query))) | ADDED
        for grouped in re.findall(r"\b(?:by|on|group_left)\s*\(([^)]*)\)", bare):
            assert {each.strip() for each in grouped.split(",") if each.strip()} <= had, query
    for panel in panels(name):
        for target in panel["targets"]:
            had = set().union(*map(labels_of, series_in(target["expr"]))) | ADDED
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= had, panel["title"]


def labels_of(series: str) -> set[str]:
    for exporter in exporters().values():
        for name, metric in exporter.metrics.items():
            if series == name or series.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") == name:
                return set(metric.labels)
    raise AssertionError(series)


def test_the_labels_of_objects_that_queries_read_are_let_through() -> None:
    let_through = {
        "label_" + re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"\W", "_", label)).lower()
        for each in _LABELS
        for label in each.partition("=")[2].strip("[]").split(",")
    }
    rules = [
        rule["expr"]
        for group in cost_rules("us-west-2", [], has_gpus=True).body["spec"]["groups"]
        for rule in group["rules"]
    ]
    asked = {each for name in NAMES for query in queries(name) for each in re.findall(r"\blabel_\w+_\w+", query)}
    asked |= {each for rule in rules for each in re.findall(r"\blabel_\w+_\w+", rule)}
    named = {label for metric in exporters()["kubeStateMetrics"].metrics.values() for label in metric.labels}
    assert asked <= let_through == {each for each in named if each.startswith("label_")}


def test_there_is_a_dashboard_for_each_engine_and_a_full_platform_has_them_all() -> None:
    assert {kind for each in dashboards().values() for kind in each.engines} == set(engines())
    assert set(dashboards_for(PLATFORM, set(engines()))) == set(NAMES)


def test_a_platform_gets_the_dashboards_that_its_exporters_fill_and_no_others() -> None:
    measured = {*WITH_PROMETHEUS}
    assert set(dashboards_for(measured, ())) == {"cluster"}
    assert set(dashboards_for({*measured, "dcgm"}, ())) == {"cluster", "gpu-fleet", "training-jobs"}
    assert set(dashboards_for({*measured, "kueue"}, ())) == {"cluster", "queues"}
    assert set(dashboards_for({*measured, "costs"}, ())) == {"cluster", "team-costs"}
    assert "gpu-costs" in dashboards_for({*measured, "costs", "dcgm"}, ())
    assert set(dashboards_for(measured, {"vllm", "triton"})) == {"cluster", "triton"}, "vLLM needs GPUs"
    assert "ray-serve" not in dashboards_for({*measured, "dcgm"}, {"vllm"}), "nothing here runs it"


def test_an_engine_is_shown_by_the_queries_that_it_is_judged_by() -> None:
    shown = " ".join(dashboards()["vllm"].queries())
    pods = 'namespace=~"$namespace",eksml_dev_server=~"$server"'
    judged = engines()["vllm"].analysis.success_rate.query
    assert judged
    assert judged.replace("$pods", pods) in shown
    assert "$pods" not in shown


def test_the_guide_has_a_line_for_each_dashboard() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "dashboards.md").read_text()
    for dashboard in dashboards().values():
        assert f"| {dashboard.title} |" in guide, dashboard.title
