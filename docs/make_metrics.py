"""Writes docs/metrics.md, what is measured and by whom, from the catalog. `uv run python docs/make_metrics.py`."""

from pathlib import Path

from eksml.catalog import AnalysisQuery, Engine, Exporter, engines, exporters

PAGE = Path(__file__).with_name("metrics.md")

HEAD = """# Metrics

Made from the catalog by `docs/make_metrics.py`; a test holds it equal. How to have them, and what they cost:
[the guide](guides/metrics.md).

In a query, `$pods` stands for the label matchers of a server's pods, such as
`namespace="vision",eksml_dev_server="chat"`.
"""

SCALING = """## What replicas follow

Each query is a sum over all pods; the target is what one replica should have of it. **Bold**: unless another one is
named.

| engine | signal | target | why |
| --- | --- | --- | --- |
"""

ANALYSIS = """## What a new version is judged by

| engine | requests without a failure | latency, 95th percentile | GPU errors |
| --- | --- | --- | --- |
"""

QUERIES = """## Queries
"""

EXPORTERS = """## Exporters
"""


def page() -> str:
    """The whole page."""
    known = engines().values()
    scaling = SCALING + "".join(row for engine in known for row in _signals(engine))
    analysis = ANALYSIS + "".join(map(_judged, known))
    queries = "\n".join([QUERIES, *map(_queries, known)])
    measured = "\n".join([EXPORTERS, *map(_exporter, exporters().values())])
    return "\n".join([HEAD, scaling, analysis, queries, measured])


def _signals(engine: Engine) -> list[str]:
    rows = []
    for name, signal in engine.signals.items():
        shown = f"**`{name}`**" if name == engine.default_signal else f"`{name}`"
        rows.append(f"| {engine.title} | {shown} | {signal.target:g} {signal.unit} | {signal.why} |\n")
    return rows


def _judged(engine: Engine) -> str:
    judged = (engine.analysis.success_rate, engine.analysis.latency, engine.analysis.gpu_errors)
    return f"| {engine.title} | {' | '.join(map(_measurable, judged))} |\n"


def _measurable(query: AnalysisQuery) -> str:
    if query.query is None:
        return f"no: {query.reason}"
    return f"yes. {query.note}" if query.note else "yes"


def _queries(engine: Engine) -> str:
    judged = engine.analysis
    named = {name: signal.query for name, signal in engine.signals.items()}
    named |= {
        "successRate": judged.success_rate.query or "",
        "latency": judged.latency.query or "",
        "gpuErrors": judged.gpu_errors.query or "",
    }
    lines = "".join(f"# {name}\n{query}\n" for name, query in named.items() if query)
    return f"### {engine.title}\n\n```promql\n{lines}```\n"


def _exporter(exporter: Exporter) -> str:
    note = f"{exporter.note} " if exporter.note else ""
    rows = "".join(
        f"| `{name}` | {metric.type} | {', '.join(metric.labels) or 'none'} | {metric.what} |\n"
        for name, metric in exporter.metrics.items()
    )
    head = "| metric | type | labels | |\n| --- | --- | --- | --- |\n"
    return f"### {exporter.title}\n\n{note}Source: {exporter.source}, read {exporter.date}.\n\n{head}{rows}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
