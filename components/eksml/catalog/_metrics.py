"""Metrics by the programs that export them, and which of them a query reads."""

import re
from functools import cache, cached_property
from typing import Literal

from pydantic import field_validator

from eksml.catalog._facts import Fact, SourcedFact, load

_SUFFIXES = {
    "counter": ("",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
    "summary": ("", "_sum", "_count"),
}
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_NOT_METRICS = re.compile(r"\{[^}]*\}|\[[^]]*\]|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_NAME = re.compile(r"(?<![\w.:$])[a-zA-Z_:][\w:]*(?!\s*\()(?![\w:])")
_OPERATORS = {"and", "or", "unless", "bool", "offset", "atan2", "inf", "nan"}


class Metric(Fact):
    """What one exporter says under one name."""

    type: Literal["counter", "gauge", "histogram", "summary"]
    labels: tuple[str, ...]
    """Those of the exporter itself, beside the ones that Prometheus adds."""
    what: str


class Exporter(SourcedFact):
    """A program that exports metrics."""

    title: str
    metrics: dict[str, Metric]

    @cached_property
    def series(self) -> frozenset[str]:
        """The names of all time series: a histogram has several."""
        return frozenset(
            f"{name}{suffix}" for name, metric in self.metrics.items() for suffix in _SUFFIXES[metric.type]
        )

    @field_validator("metrics")
    @classmethod
    def _has_some(cls, metrics: dict[str, Metric]) -> dict[str, Metric]:
        if not metrics:
            raise ValueError("an exporter has metrics")
        return metrics


@cache
def exporters() -> dict[str, Exporter]:
    """Every exporter of the catalog, by name."""
    return {name: Exporter.model_validate(entry) for name, entry in load("metrics.yaml")["exporters"].items()}


def series_in(query: str) -> frozenset[str]:
    """The names of the time series that a PromQL query reads."""
    bare = _NOT_METRICS.sub(" ", _TEXT.sub(" ", query))
    return frozenset(name for name in _NAME.findall(bare) if name.lower() not in _OPERATORS)
