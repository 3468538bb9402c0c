"""How long a server probably takes from nothing to its first answer, and the time-outs that follow from it."""

from __future__ import annotations

import json
from math import ceil
from typing import Any, NamedTuple

from eksml import names
from eksml.catalog import Rate, WeightSource, cold_starts, image_of, karpenter_node
from eksml.clock import clock

# Beyond what is expected at most: a time-out is for what hangs, not for what is slow today.
_MARGIN = 1.5
_SHORTEST_TIMEOUT = 600
_SHORTEST_START = 300
# For weights of unknown size: 100 GB at 100 MB/s are not there earlier.
_UNKNOWN_WEIGHTS = 1000
_GB_OF_GIB = 1.073741824
_MB_OF_GB = 1000


class Part(NamedTuple):
    """A part of a cold start, in seconds."""

    low: float
    usual: float
    high: float
    is_estimate: bool = False
    """Whether that is a guess, since no source gives the figures."""


class ColdStart(NamedTuple):
    """A cold start in the order of its parts."""

    node: Part
    """Until there is a node."""
    image: Part
    """Until the image is on it."""
    weights: Part | None
    """Until the weights are read; None: how large they are is not known."""
    warm_up: Part
    """Until the engine answers: starting, compiling, its first request."""

    @property
    def total(self) -> Part:
        """All of it that is known."""
        known = [part for part in self if part is not None]
        low, usual, high = (sum(part[index] for part in known) for index in range(3))
        return Part(low, usual, high, any(part.is_estimate for part in known))

    @property
    def most_seconds(self) -> int:
        """What it should never exceed, in full minutes: how long a request may be held, how long Pulumi waits."""
        unknown = 0 if self.weights else _UNKNOWN_WEIGHTS
        return max(_SHORTEST_TIMEOUT, 60 * ceil((self.total.high * _MARGIN + unknown) / 60))

    @property
    def start_seconds(self) -> int:
        """What a container should never exceed from its start to its first answer."""
        weights = self.weights.high if self.weights else _UNKNOWN_WEIGHTS
        return max(_SHORTEST_START, ceil((weights + self.warm_up.high) * _MARGIN))

    def start_failures(self, period_seconds: int) -> int:
        """The failure threshold of a start-up probe that asks so often: it never stops a server that still loads."""
        return ceil(self.start_seconds / period_seconds)

    def text(self) -> str:
        """In one line, in minutes; ~ marks estimates."""
        total, more = self.total, "" if self.weights else " and the weights"
        whole = f"{_text(total)} min{more}, from {clock(total.low)} to {clock(total.high)}"
        parts = zip(("node", "image", "weights", "warm-up"), self, strict=True)
        return f"{whole}: {', '.join(f'{name} {_text(part)}' for name, part in parts)}"

    def annotation(self, wakes: str = "") -> dict[str, str]:
        """The annotation of a workload by which views show it; `wakes`: how a server that sleeps wakes."""
        parts = {"node": self.node, "image": self.image, "weights": self.weights, "warmUp": self.warm_up}
        content = {
            **{name: _as_data(part) if part else None for name, part in parts.items()},
            "total": _as_data(self.total),
            "wakes": wakes,
        }
        return {names.COLD_START_ANNOTATION: json.dumps(content)}


def cold_start(
    engine: str,
    image: str,
    *,
    weights_gib: float | None,
    source: WeightSource,
    new_node: bool,
    on_gpu: bool = True,
) -> ColdStart:
    """What a server's cold start is made of.

    Arguments:
        engine: its kind in the catalog of engines.
        image: the image that it runs in, as its pods name it.
        weights_gib: the size of its weights, in GiB; None: not known.
        source: where it reads them from when it starts.
        new_node: whether its node comes with it, by Karpenter; else it is there already, maybe with the image.
        on_gpu: whether it runs on a GPU.
    """
    facts = cold_starts()
    start = facts.engines[engine]
    seconds = start.best
    return ColdStart(
        node=_node() if new_node else Part(0, 0, 0),
        image=_image(image, on_gpu=on_gpu, may_be_there=not new_node),
        weights=None if weights_gib is None else _weights(weights_gib, source),
        warm_up=Part(seconds.low, seconds.usual, seconds.high, start.seconds is None),
    )


def _as_data(part: Part) -> dict[str, Any]:
    low, usual, high = (round(seconds) for seconds in part[:3])
    return {"low": low, "usual": usual, "high": high, "estimate": part.is_estimate}


def _text(part: Part | None) -> str:
    return f"{'~' if part.is_estimate else ''}{clock(part.usual)}" if part else "not known"


def _node() -> Part:
    fact = karpenter_node()
    seconds = fact.create_seconds
    usual = seconds.median or fact.estimate_seconds or 0
    return Part(seconds.low or usual, usual, seconds.high or usual, seconds.median is None)


def _image(reference: str, *, on_gpu: bool, may_be_there: bool) -> Part:
    facts, size = cold_starts(), image_of(reference).size_gb
    pulled = _read(size or facts.estimated_image_gb["gpu" if on_gpu else "cpu"], facts.pull.best)
    return pulled._replace(low=0 if may_be_there else pulled.low, is_estimate=size is None or facts.pull.rate is None)


def _weights(gib: float, source: WeightSource) -> Part:
    fact = cold_starts().weights[source]
    return _read(gib * _GB_OF_GIB, fact.best)._replace(is_estimate=fact.rate is None)


def _read(gb: float, rate: Rate) -> Part:
    low, usual, high = (gb * _MB_OF_GB / each for each in (rate.fast, rate.usual, rate.slow))
    return Part(low, usual, high)
