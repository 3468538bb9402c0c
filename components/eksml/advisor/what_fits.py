"""What to say where a model fits on no instance: which other answers, or settings of a stack file, would hold it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from math import ceil
from typing import Any

from eksml.advisor.requirements import ProfileAnswers
from eksml.catalog import ModelShape, precisions
from eksml.errors import listed
from eksml.sizing import Serving, serving_instances

# The steps in which a shorter context is advised.
_TOKENS = 1024

Fits = Callable[[ProfileAnswers], bool]
"""Whether some instance holds the model of some answers."""


def what_fits(asked: ProfileAnswers, fits: Fits, model: ModelShape, serving: Serving, regions: Iterable[str]) -> str:
    """What would fit, as the end of a sentence.

    Arguments:
        asked: the answers with which the model fits on no instance.
        fits: whether it does with others.
        model: the model.
        serving: how vLLM would hold it, whose settings can be others.
        regions: where the platform could be as well.
    """
    fewer = list(_of_requests(asked, fits))
    answers = [*fewer, *_of_context(asked, fits), *_of_region(asked, fits, regions)]
    settings = [*_of_precision(asked, model, serving), *(() if fewer else _of_nodes(asked, model, serving))]
    if not answers:
        answers = [f"{region} and fewer requests" for region in _of_region(_with(asked, requests=1), fits, regions)]
    if not answers and not settings:
        return "a smaller model, or one that is published in fewer bits, may"
    by_hand = f"in a stack file of your own with {listed(settings)}" if settings else ""
    return "it does " + "; ".join(each for each in (f"with {listed(answers)}" if answers else "", by_hand) if each)


def _of_requests(asked: ProfileAnswers, fits: Fits) -> Iterator[str]:
    most = _most(1, asked.requests - 1, lambda number: fits(_with(asked, requests=number)))
    if most:
        yield f"requests={most} ({ceil(asked.requests / most)} such servers hold all)"


def _of_context(asked: ProfileAnswers, fits: Fits) -> Iterator[str]:
    def thousands_fit(number: int) -> bool:
        return fits(_with(asked, context_length=number * _TOKENS))

    if most := _most(1, (asked.context_length - 1) // _TOKENS, thousands_fit):
        yield f"context_length={most * _TOKENS}"


def _of_region(asked: ProfileAnswers, fits: Fits, regions: Iterable[str]) -> Iterator[str]:
    others = (region for region in regions if region != asked.region)
    if able := [region for region in others if fits(_with(asked, region=region))]:
        yield f"region={listed(able)}"


def _of_precision(asked: ProfileAnswers, model: ModelShape, serving: Serving) -> Iterator[str]:
    is_wide = precisions()[model.precision].bits > precisions()["fp8"].bits
    if _fits_one_node(asked, model, replace(serving, kv_precision="fp8")):
        yield "kvCachePrecision: fp8"
    elif is_wide and _fits_one_node(asked, model, replace(serving, precision="fp8")):
        yield "quantization: fp8"


def _of_nodes(asked: ProfileAnswers, model: ModelShape, serving: Serving) -> Iterator[str]:
    found = serving_instances(model, serving, asked.region)
    if found and found[0].nodes > 1:
        yield f"nodes: {found[0].nodes}, each {found[0].name}"


def _fits_one_node(asked: ProfileAnswers, model: ModelShape, serving: Serving) -> bool:
    return any(each.nodes == 1 for each in serving_instances(model, serving, asked.region))


def _with(asked: ProfileAnswers, **others: Any) -> ProfileAnswers:
    return asked.model_copy(update=others)


def _most(low: int, high: int, fits: Callable[[int], bool]) -> int:
    """The largest number that fits, where all below one that does fit too; 0: none does."""
    low -= 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
