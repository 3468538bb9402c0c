"""Asks AWS for prices, several at once, and lays what it says over what was known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from eksml.account import Account, Refused
from eksml.at_once import at_once
from eksml.catalog import ListedPrice, PriceList
from eksml.errors import MissingHere
from eksml.prices.replies import NoPrice, price_in
from eksml.prices.wanted import Wanted

PRICE_LIST_REGION = "us-east-1"
"""One of the few regions that answer; each has the prices of all."""

# How many questions are under way at once; AWS does not say how many it takes.
_WORKERS = 4


@dataclass(frozen=True)
class Answer:
    """What came of asking for a price: one of the two."""

    wanted: Wanted
    price: ListedPrice | None = None
    problem: str = ""


def ask(wanted: list[Wanted], account: Account, on_answer: Callable[[int], None] = lambda number: None) -> list[Answer]:
    """The answers, in the order of what is wanted.

    Arguments:
        wanted: the prices.
        account: whom to ask, in PRICE_LIST_REGION.
        on_answer: told how many are answered.

    Raises MissingHere without credentials that AWS takes, or that may not ask for prices.
    """
    _ = account.identity
    return at_once([partial(_answer, each, account) for each in wanted], _WORKERS, on_answer)


def laid_over(before: PriceList, answers: Iterable[Answer]) -> PriceList:
    """What was known, with the prices that were found; what was not found stays as it was."""
    found: dict[str, dict[str, dict[str, ListedPrice]]] = {
        group: {name: dict(regions) for name, regions in getattr(before, group).items()}
        for group in PriceList.model_fields
    }
    for answer in answers:
        if answer.price:
            wanted = answer.wanted
            found[wanted.group].setdefault(wanted.name, {})[wanted.region] = answer.price
    return PriceList(**found)


def _answer(wanted: Wanted, account: Account) -> Answer:
    try:
        reply = [
            entry
            for filters in wanted.filters()
            for entry in account.all(
                "pricing", "get_products", "PriceList", ServiceCode=wanted.listing.service, Filters=filters
            )
        ]
        return Answer(wanted, price_in(reply, wanted))
    except Refused as refusal:
        if refusal.is_denied:
            raise MissingHere(f"{refusal}: {refusal.advice}") from None
        return Answer(wanted, problem=str(refusal))
    except NoPrice as problem:
        return Answer(wanted, problem=str(problem))
